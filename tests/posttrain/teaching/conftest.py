"""A tiny imported model, and a file of questions that it can learn."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.store.dense_folders import save_dense
from tuili.store import ForeignTokenizer, ImportedModel, open_model


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_dense(tmp_path_factory.mktemp("dense") / "model", tie_word_embeddings=True)


@pytest.fixture(scope="session")
def tokenizer(folder: Path) -> ForeignTokenizer:
    stored = open_model(folder)
    assert isinstance(stored, ImportedModel)
    return stored.tokenizer


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "sums.jsonl"
    items = [
        {"question": f"Add {a} and {a + 3}.", "equation": f"+ {a} {a + 3}", "answer": f"{2 * a + 3}"} for a in range(40)
    ]
    path.write_text("".join(json.dumps(item) + "\n" for item in items))
    return path
