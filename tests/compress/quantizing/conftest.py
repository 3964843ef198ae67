"""Parents for whole numbers: one of Tuili's own that 4 bits suit, and an imported one in bf16."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.harness.tiny import tiny_model
from tests.compress.conftest import RECIPE
from tests.store.dense_folders import KINDS, dense_model, dense_tokenizer
from tuili.model import save_model
from tuili.store import LineageEntry


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
