"""Tiny models with something to recover with: one of Tuili's own kind, and an imported one with a file of questions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.harness.tiny import tiny_model
from tests.store.dense_folders import save_dense
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
    what the tests of a module share."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tuili.compress.own.THRESHOLD_DOCUMENTS", 6)
        patch.setattr("tuili.compress.parent.MEASURED_DOCUMENTS", 20)
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
def questions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "sums.jsonl"
    items = [
        {"question": f"Add {a} and {a + 3}.", "equation": f"+ {a} {a + 3}", "answer": f"{2 * a + 3}"} for a in range(40)
    ]
    path.write_text("".join(json.dumps(item) + "\n" for item in items))
    return path
