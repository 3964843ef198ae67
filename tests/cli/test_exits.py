"""`tuili exits` trains exits for an imported model, and refuses what it cannot use in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.refusals import refusal
from tests.store.dense_folders import save_dense
from tuili.cli.app import main
from tuili.store import open_model

SMALL = [
    "exits.rank=4", "exits.channels=4", "exits.tokens=300", "exits.validation_tokens=30", "exits.test_tokens=30",
    "exits.adapter={steps: 3, rows: 32}", "exits.confidence={steps: 3, rows: 32}", "exits.threshold.tries=2",
]  # fmt: skip


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "sums.jsonl"
    lines = [
        f'{{"question": "What is {a} {thing}s + 1?", "answer": "{a} + 1 = {a + 1}"}}\n'
        for a in range(12)
        for thing in ("pen", "hat", "nut", "cup", "key")
    ]
    path.write_text("".join(lines))
    return path


def test_a_model_gets_exits(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, out = save_dense(tmp_path / "model"), tmp_path / "run"
    assert main(["exits", str(model), *SMALL, "--data", str(data), "--out", str(out)]) == 0
    captured = capsys.readouterr()
    assert "exits at 2, 3 of 4 layers, way frozen" in captured.err
    assert f"{out}/model: " in captured.out
    assert "points below full depth" in captured.out
    stored = open_model(out / "model")
    assert stored.shape.exit_layers == (2, 3, 4)


def test_what_cannot_be_is_refused(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = save_dense(tmp_path / "model")
    given = ["exits", str(model), "--out", str(tmp_path / "run")]
    assert "--data is missing" in refusal(capsys, *given)
    assert "--at 'deep'" in refusal(capsys, *given, "--at", "deep", "--data", str(data))
    assert "depths must rise" in refusal(capsys, *given, "--at", "3,2", "--data", str(data))
    assert "exits.way" in refusal(capsys, *given, "--way", "wild", "--data", str(data))
    assert "below the 4 layers" in refusal(capsys, *given, "--at", "9", "--data", str(data))
    assert "cannot be read" in refusal(capsys, *given, "--data", str(tmp_path / "none.jsonl"))
    assert "has exits already" in refusal(capsys, "exits", "nano", "--data", str(data), "--out", str(tmp_path / "own"))
