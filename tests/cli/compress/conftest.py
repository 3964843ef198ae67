"""Parents for the verbs, which choose the threshold of exits on few documents, and are compared on few."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.compress.parents import save_trained
from tests.store.dense_folders import save_dense


@pytest.fixture(autouse=True)
def few_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuili.compress.own.THRESHOLD_DOCUMENTS", 6)
    monkeypatch.setattr("tuili.compress.parent.MEASURED_DOCUMENTS", 20)
    monkeypatch.setattr("tuili.data.stream.MAX_PENDING_DOCUMENTS", 16)
    monkeypatch.setattr("tuili.train.feed.preparation.MIN_BLOCKS_OF_A_PROCESS", 10**9)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_trained(tmp_path_factory.mktemp("parent") / "model")


@pytest.fixture(scope="module")
def dense_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_dense(tmp_path_factory.mktemp("dense") / "model")


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "sums.jsonl"
    items = [{"question": f"Add {a} and 3.", "equation": f"+ {a} 3", "answer": f"{a + 3}"} for a in range(40)]
    path.write_text("".join(json.dumps(item) + "\n" for item in items))
    return path
