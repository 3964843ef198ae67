"""Tiny models with something to recover with: of Tuili's own kind, and imported ones with a file of questions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.harness.tiny import tiny_model
from tests.store.dense_folders import KINDS, dense_model, dense_tokenizer, save_dense
from tuili.model import save_model
from tuili.store import LineageEntry

RECIPE = {
    "data": {"domains": ["arithmetic", "calendar"], "levels": [1.0]},
    "curriculum": {"kind": "uniform"},
    "objective": {"exits": [[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]]},
    "train": {"length": 320},
}


@pytest.fixture(autouse=True, scope="module")
def few_samples() -> Iterator[None]:
    """Choose the threshold of exits on few documents, and compare imported models with their parents on few, also in
    what the tests of a module share. No process is started for the data of a few steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tuili.compress.own.THRESHOLD_DOCUMENTS", 6)
        patch.setattr("tuili.compress.parent.MEASURED_DOCUMENTS", 20)
        patch.setattr("tuili.train.feed.preparation.MIN_BLOCKS_OF_A_PROCESS", 10**9)
        yield


@pytest.fixture(scope="session")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Exits after 1, 2, 3 and 4 layers, four experts of 8 neurons, two heads of keys and values."""
    folder = tmp_path_factory.mktemp("own") / "model"
    model, tokenizer = tiny_model(num_attention_heads=4, num_key_value_heads=2, head_dim=4)
    save_model(folder, model, tokenizer, [LineageEntry("train", RECIPE, seeds={"train": 1}, tokens=100)])
    return folder


@pytest.fixture(scope="session")
def dense(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four layers of 96 neurons, two heads of keys and values."""
    return save_dense(tmp_path_factory.mktemp("dense") / "model", tie_word_embeddings=True)


@pytest.fixture(scope="session")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of Tuili's own that 4 bits suit."""
    folder = tmp_path_factory.mktemp("wide") / "model"
    model, tokenizer = tiny_model(hidden_size=64, intermediate_size=64, moe_intermediate_size=32, head_dim=16)
    save_model(folder, model, tokenizer, [LineageEntry("train", RECIPE, seeds={"train": 1}, tokens=100)])
    return folder


@pytest.fixture(scope="session")
def half(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An imported model in bf16."""
    folder = tmp_path_factory.mktemp("half") / "model"
    dense_model(**KINDS["llama, tied"]).bfloat16().save_pretrained(folder)
    dense_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def questions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "sums.jsonl"
    items = [
        {"question": f"Add {a} and {a + 3}.", "equation": f"+ {a} {a + 3}", "answer": f"{2 * a + 3}"} for a in range(40)
    ]
    path.write_text("".join(json.dumps(item) + "\n" for item in items))
    return path
