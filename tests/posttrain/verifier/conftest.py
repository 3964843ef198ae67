"""A tiny imported model that answers sums, and a file of such sums."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.store.taught_folder import save_questions, save_taught


@pytest.fixture(scope="session")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_taught(tmp_path_factory.mktemp("taught") / "model")


@pytest.fixture(scope="session")
def sums(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_questions(tmp_path_factory.mktemp("sums") / "sums.jsonl")
