"""An imported model of random weights, and word problems as the project's data has them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.imported.prompts import ASKED, WORKED
from tests.store.dense_folders import save_dense
from tuili.store import ImportedModel, open_model


@pytest.fixture(scope="session")
def imported(tmp_path_factory: pytest.TempPathFactory) -> ImportedModel:
    model = open_model(save_dense(tmp_path_factory.mktemp("imported") / "tiny", tie_word_embeddings=True))
    assert isinstance(model, ImportedModel)
    return model


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Questions of three lengths, and worked answers."""
    asked = [{"question": f"What is {chr(0x3B1 + number)}?{' Why?' * (number % 3)}"} for number in range(9)]
    worked = [
        {"question": f"Is {number} a number?", "answer": f"It is <<{number}={number}>>{number}.\n#### {number}"}
        for number in range(1000, 2000)
    ]
    for name, lines in ((ASKED, asked), (WORKED, worked)):
        file = tmp_path / name
        file.parent.mkdir()
        file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return tmp_path
