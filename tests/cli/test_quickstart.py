import json
import shlex
from pathlib import Path

import pytest

from tuili.cli.app import main
from tuili.eval import evaluation
from tuili.tasks import unseen

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


def test_quickstart_trains_evaluates_asks_and_reports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(evaluation, "ROUTING_PROBLEMS_PER_DOMAIN", 2)
    monkeypatch.setattr("tuili.data.sources.TOKENIZER_SAMPLE_RECORDS", 100)
    out = tmp_path / "quickstart"
    command = ["quickstart", *SMALL, "--out", str(out), "--per-cell", "1"]
    assert main(command) == 0
    shown = capsys.readouterr().out
    report = json.loads((out / "report.json").read_text())
    assert len(report["accuracy"]) == 4
    assert report["seconds"] >= report["seconds_training"] > 0
    assert sum(report["seconds_by_part"].values()) == pytest.approx(report["seconds"], abs=0.5)
    assert report["steps"] == 3
    assert len(report["questions"]) == 5
    asked = {question["id"] for question in report["questions"]}
    points = report["evaluation"]["depth"]["points"]
    assert [point["depth"] for point in points] == ["1", "2", "3", "4", "auto"]
    assert asked.isdisjoint(f"{domain}/1/2000000000/0" for domain in report["accuracy"])
    page = (out / "report.html").read_text()
    assert "Learning curve" in page
    assert "<td>training: forward and backward</td>" in page
    assert "Accuracy against mean depth" in page
    assert "http" not in page
    assert any(f"tuili ask {shlex.quote(question['prompt'])}" in shown for question in report["questions"])
    assert f"--model {out}/model" in shown

    assert main(command) == 0  # the run is finished: nothing is trained again
    assert json.loads((out / "report.json").read_text())["seconds_training"] == report["seconds_training"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["data.domains=[arithmetic]", "--per-cell", "500"], "different prompts found, 505 asked for"),
        (["--per-cell", "1", "--out", "/proc/run"], "/proc/run/report.json cannot be written"),
        (["--per-cell", "1", "--out", ""], "--out is empty"),
    ],
)
def test_what_cannot_end_well_is_refused_before_training(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(unseen, "MAX_REPEATED_PROMPTS", 1)
    monkeypatch.chdir(tmp_path)
    assert main(["quickstart", *SMALL, *arguments]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_override_is_refused_before_anything_is_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["quickstart", "train.stepz=3", "--out", str(tmp_path / "run")]) == 2
    assert "stepz" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
