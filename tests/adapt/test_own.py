"""A model of Tuili's own is adapted by training, from the command line; what it cannot have is refused."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from tests.adapt.conftest import quick_verifier
from tests.processes import start_quickly
from tuili.adapt import Interrupted
from tuili.adapt.teaching import OwnTeacher
from tuili.cli.app import EXIT_INTERRUPTED, main
from tuili.config import load_recipe
from tuili.data import sources
from tuili.store import open_model, read_lineage
from tuili.train import Recipe, train

SIZES = {
    "hidden_size": 32, "intermediate_size": 32, "moe_intermediate_size": 16, "trunk_layers": 1, "group_layers": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    overrides = [
        f"model.overrides={json.dumps(SIZES)}", "train.steps=1", "train.rows=2", "train.length=192", "train.replicas=1",
        "train.compile=off", "data.vocabulary=500", "data.domains=[arithmetic]", "curriculum.kind=uniform",
    ]  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "TOKENIZER_SAMPLE_RECORDS", 20)
        result = train(load_recipe("base", overrides, Recipe), tmp_path_factory.mktemp("own"))
    assert result.model is not None
    return result.model


def test_a_model_of_tuilis_own_is_adapted(
    own: Path, sums: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    start_quickly(monkeypatch)
    monkeypatch.setattr("tuili.train.run.balance_domains", lambda *_: None)  # which takes most of the time
    monkeypatch.setattr(sources, "CHECKED_PROBLEMS", 2)
    for name, count in {"READ_RECORDS": 8, "SCORED_RECORDS": 4}.items():
        monkeypatch.setattr(f"tuili.eval.calibration.familiarity.{name}", count)
    monkeypatch.setattr(OwnTeacher, "passes", 1)
    for module in ("measuring", "trust", "pace"):
        monkeypatch.setattr(f"tuili.adapt.{module}.MAX_TOKENS", 12)
    out = tmp_path / "run"
    command = ["adapt", str(own), "--data", str(sums), "--out", str(out), "--times", "0"]
    with quick_verifier():
        assert main(command) == 0
    shown = capsys.readouterr().out
    report = json.loads((out / "report.json").read_text())
    taught = re.search(r"(\d+) of \d+ kinds to teach", shown)
    assert taught
    split = report["split"]
    assert split["teach"] == int(taught[1])
    assert f"learn {split['teach']} questions 1.0 times" in shown
    assert [entry.step for entry in read_lineage(out / "model")] == ["train", "train"]
    question = report["after"]["rows"][0]["question"]
    assert f"tuili ask {shlex.quote(question)} --model {out}/model" in shown
    assert f"tuili serve {out}/model" in shown
    assert (report["before"]["calculator"], report["after"]["calculator"]) == ("off", "repair")
    assert report["before"]["questions"] == report["after"]["questions"] == report["split"]["test"]
    assert (report["after"]["several"]["attempts"], report["after"]["several"]["questions"]) == (4, split["test"])
    assert report["verifier"]["why"].startswith("the model ended none of its answers"), (
        "which are judged behind the fit"
    )
    assert "at least 22 are needed" in report["calibrate"]["why"] or "answered none" in report["calibrate"]["why"]
    assert open_model(out / "model").shape == open_model(own).shape
    assert main([*command, "--resume"]) == 0
    assert main(command) == 2
    assert "already holds a run: add --resume" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--exits", "1,2"], "--exits: .* is of Tuili's own kind, which has exits"),
        (["--rehearse", "arithmetic"], "--rehearse: .* is of Tuili's own kind and rehearses all"),
        (["--rehearse", "cooking"], "--rehearse: unknown domain 'cooking'"),
        (["--minutes", "0"], "--minutes: Input should be greater than 0"),
        (["--exits", "3,2"], "--exits: they must rise, each once"),
        (["--resume"], "holds no run that could go on"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(
    options: list[str], message: str, own: Path, sums: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["adapt", str(own), "--data", str(sums), "--out", str(tmp_path / "run"), *options]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert re.search(message, line)
    assert not (tmp_path / "run" / "stages").exists()


def test_a_ctrl_c_says_how_to_go_on(
    sums: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise Interrupted("step 3 of 9 of the teaching is saved")

    monkeypatch.setattr("tuili.adapt.adapt", interrupted)
    assert main(["adapt", "nano", "--data", str(sums), "--out", str(tmp_path)]) == EXIT_INTERRUPTED
    assert "step 3 of 9 of the teaching is saved; add --resume to go on" in capsys.readouterr().out
