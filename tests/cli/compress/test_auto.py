"""`tuili compress auto` says what it would try, and refuses in one line what it cannot search."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.harness.tiny import tiny_model
from tests.cli.refusals import refusal
from tests.compress.auto.test_run import FITTING
from tuili.cli.app import EXIT_INTERRUPTED, main
from tuili.compress import Interrupted
from tuili.model import save_model
from tuili.store import LineageEntry

RECIPE = {
    "data": {"domains": ["arithmetic"], "levels": [1.0]}, "curriculum": {"kind": "uniform"}, "train": {"length": 320},
}  # fmt: skip


@pytest.fixture
def model(tmp_path: Path) -> str:
    save_model(tmp_path / "model", *tiny_model(), [LineageEntry("train", RECIPE, seeds={"train": 1}, tokens=100)])
    return str(tmp_path / "model")


def test_a_plan_says_what_would_be_tried(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["compress", "auto", model, *FITTING, "--size", "-10%", "--problems", "2", "--first", "1"]
    given += ["--candidates", "1", "--minutes", "100", "--out", str(tmp_path / "run")]
    assert main([*given, "--plan"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "candidates: 1"
    assert "of the weights' bytes" in told[1]
    assert told[-2].startswith("memory: about ")
    assert told[-1].startswith("time: about ")
    assert "--plan begins nothing" in refusal(capsys, *given, "--plan", "--resume")
    assert not (tmp_path / "run").exists()


def test_a_search_that_is_interrupted_says_how_it_goes_on(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tuili.compress.auto.run.AutoRun.run", interrupted)
    given = ["compress", "auto", model, *FITTING, "--size", "-10%", "--problems", "2", "--out", str(tmp_path / "run")]
    assert main(given) == EXIT_INTERRUPTED
    assert "interrupted: what was made and measured is saved, add --resume" in capsys.readouterr().out


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt(), Interrupted("nothing is made yet")])
def test_a_plan_that_is_interrupted_says_so(
    model: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    interrupt: BaseException,
) -> None:
    def interrupted(*_: object) -> None:
        raise interrupt

    monkeypatch.setattr("tuili.compress.auto.run.AutoRun.plan", interrupted)
    given = ["compress", "auto", model, *FITTING, "--size", "-10%", "--problems", "2", "--out", str(tmp_path / "run")]
    assert main([*given, "--plan"]) == EXIT_INTERRUPTED
    assert capsys.readouterr().out == "interrupted: the trial is not at its end, and nothing is written\n"


def test_wrong_targets_are_refused_in_one_line(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["compress", "auto", model, "--out", str(tmp_path / "run")]
    assert "give --size, as in --size -60%" in refusal(capsys, *given)
    assert "--size '-60MB': give percent" in refusal(capsys, *given, "--size", "-60MB")
    assert "--loss '1': give percent" in refusal(capsys, *given, "--size", "-60%", "--loss", "1")
    assert "no chain of compressions makes" in refusal(capsys, *given, "--size", "-99.9%")
    assert "train.steps=3: begin with the way" in refusal(capsys, *given, "train.steps=3", "--size", "-60%")
    assert not (tmp_path / "run").exists()
