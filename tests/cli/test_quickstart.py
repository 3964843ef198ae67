import json
import shlex
from pathlib import Path

import pytest

from tuili.cli.app import main

SIZES = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "moe_intermediate_size": 8,
    "trunk_layers": 1,
    "group_layers": 1,
    "max_position_embeddings": 224,
}
SMALL = [
    "train.steps=3",
    "train.rows=2",
    "train.length=224",
    "train.compile=off",
    "data.vocabulary=400",
    f"model.overrides={json.dumps(SIZES)}",
]


def test_quickstart_trains_evaluates_asks_and_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "quickstart"
    command = ["quickstart", *SMALL, "--out", str(out), "--per-cell", "1"]
    assert main(command) == 0
    shown = capsys.readouterr().out
    report = json.loads((out / "report.json").read_text())
    assert len(report["accuracy"]) == 4
    assert report["seconds"] >= report["seconds_training"] > 0
    assert report["steps"] == 3
    assert len(report["questions"]) == 5
    asked = {question["id"] for question in report["questions"]}
    assert asked.isdisjoint(f"{domain}/1/2000000000/0" for domain in report["accuracy"])
    page = (out / "report.html").read_text()
    assert "Learning curve" in page
    assert "http" not in page
    assert any(f"tuili ask {shlex.quote(question['prompt'])}" in shown for question in report["questions"])
    assert f"--model {out}/model" in shown

    assert main(command) == 0  # the run is finished: nothing is trained again
    assert json.loads((out / "report.json").read_text())["seconds_training"] == report["seconds_training"]


def test_a_wrong_override_is_refused_before_anything_is_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["quickstart", "train.stepz=3", "--out", str(tmp_path / "run")]) == 2
    assert "stepz" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
