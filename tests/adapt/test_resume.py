"""A run ends with the same model wherever a fault has met it: at a stage's end, or inside, by Ctrl-C or by a kill."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.adapt.conftest import BEFORE_PLAN, IN_PLAN, Heard, run
from tests.processes import quick_context
from tuili.adapt import AdaptResult, Interrupted, trust
from tuili.adapt.stages import TIMING
from tuili.engine import CALIBRATION_FILE
from tuili.errors import InputError
from tuili.store import FAMILIARITY_FILE, model_hash

INSIDE = {
    "plan": "trial",
    "before": "before",
    "teach": "step 2/",
    "exits": "adapter at 1",
    "verifier": "fit 0",
    "calibrate": "problems",
    "after": "after",
}
"""Stages that take long, and what is told in the midst of each."""


def each_inside(*usual: str) -> list[object]:
    """These stages for every run of the tests, and the others for `make kills`."""
    return [pytest.param(stage, marks=() if stage in usual else pytest.mark.kills) for stage in INSIDE]


class Faults:
    """Lets a fault happen once, when something is told of a stage."""

    def __init__(self, told: str, fault: Callable[[], None]) -> None:
        self._told, self._fault, self.happened = told, fault, False

    def __call__(self, name: str) -> None:
        if name.startswith(self._told) and not self.happened:
            self.happened = True
            self._fault()


def interrupt() -> None:
    signal.raise_signal(signal.SIGINT)


def run_killed(base: Path, sums: Path, folder: Path, told: str) -> None:
    """In a process of its own."""
    run(base, sums, folder, True, Heard(Faults(told, lambda: os.kill(os.getpid(), signal.SIGKILL))))


@pytest.fixture(autouse=True)
def no_page(whole: tuple[AdaptResult, Heard], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each run would draw its page anew, which takes about as long as what is done again here."""
    monkeypatch.setattr("tuili.adapt.run.write_report", lambda *_: None)


@pytest.fixture
def copy(whole: tuple[AdaptResult, Heard], tmp_path: Path) -> Path:
    """A copy of the folder with the whole run."""
    shutil.copytree(whole[0].model.parent, tmp_path / "run")
    return tmp_path


def undo(folder: Path, stage: str) -> None:
    """Leave nothing of a stage in the folder of a run, as if it had not begun."""
    (folder / "run" / "stages" / f"{stage}.json").unlink()
    shutil.rmtree(folder / "run" / {"assemble": "model"}.get(stage, stage), ignore_errors=True)
    if stage in ("split", "multiply"):
        shutil.rmtree(folder / "run" / "data")


def check_same(whole: AdaptResult, folder: Path, again: AdaptResult, stage: str) -> None:
    """Nothing but times differs, and no stage was done again but this one, and what had written into its folder."""
    again_done = {"assemble", "calibrate"} if stage == "assemble" else {stage}
    for name in (*BEFORE_PLAN, "plan", *IN_PLAN):
        then, now = (dict(one.document[name]) for one in (whole, again))
        assert {**now, TIMING: None} == {**then, TIMING: None}, name
        kept = [
            json.loads((one / "stages" / f"{name}.json").read_text()) for one in (whole.model.parent, folder / "run")
        ]
        assert (kept[0] == kept[1]) == (name not in again_done), name
    assert model_hash(again.model) == model_hash(whole.model)
    assert (again.model / CALIBRATION_FILE).read_bytes() == (whole.model / CALIBRATION_FILE).read_bytes()


@pytest.mark.parametrize("stage", [*BEFORE_PLAN, "assemble"])  # the others are met below by faults inside
def test_a_stage_that_never_began_is_done_and_no_other(
    stage: str, whole: tuple[AdaptResult, Heard], base: Path, sums: Path, copy: Path
) -> None:
    undo(copy, stage)
    if stage in ("split", "multiply"):  # their files are in one folder
        (copy / "run" / "stages" / f"{'split' if stage == 'multiply' else 'multiply'}.json").unlink()
    heard = Heard()
    again = run(base, sums, copy, resume=True, heard=heard)
    if stage not in ("split", "multiply"):
        check_same(whole[0], copy, again, stage)
    assert model_hash(again.model) == model_hash(whole[0].model)
    assert len(heard.plans) == 1


@pytest.mark.parametrize(
    ("gone", "again"),
    [
        (("exits/model", "verifier/model"), set[str]()),
        (("exits/model", "verifier/model", "model"), {"exits", "verifier", "assemble", "calibrate"}),
    ],
)
def test_what_a_stage_has_made_is_made_again_where_something_asks_for_it(
    gone: tuple[str, ...], again: set[str], whole: tuple[AdaptResult, Heard], base: Path, sums: Path, copy: Path
) -> None:
    for name in gone:
        shutil.rmtree(copy / "run" / name)
    kept = [copy / "run" / "stages" / f"{name}.json" for name in IN_PLAN]
    before = [file.read_text() for file in kept]
    result = run(base, sums, copy, resume=True)
    assert {file.stem for file, then in zip(kept, before, strict=True) if file.read_text() != then} == again
    assert {name: result.document[name] for name in IN_PLAN} == {name: whole[0].document[name] for name in IN_PLAN}
    files = [(one.model / CALIBRATION_FILE).read_text() for one in (whole[0], result)]
    assert files[0] == files[1]
    assert (result.model / FAMILIARITY_FILE).exists() == (whole[0].model / FAMILIARITY_FILE).exists()


def test_a_stage_that_a_full_disk_has_ended_is_not_left_out(
    whole: tuple[AdaptResult, Heard], base: Path, sums: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise InputError("calibration.json cannot be written: No space left on device; choose another place")

    undo(copy, "calibrate")
    monkeypatch.setattr(trust, "calibrate_folder", full)
    with pytest.raises(InputError, match="No space left"):
        run(base, sums, copy, resume=True)
    monkeypatch.undo()
    check_same(whole[0], copy, run(base, sums, copy, resume=True), "calibrate")


@pytest.mark.parametrize("stage", ["exits", "verifier"])
def test_a_stage_whose_folder_holds_something_else_is_refused_and_not_left_out(
    stage: str, whole: tuple[AdaptResult, Heard], base: Path, sums: Path, copy: Path
) -> None:
    (copy / "run" / "stages" / f"{stage}.json").unlink()
    (copy / "run" / stage / "run.json").write_text("{}")
    with pytest.raises(InputError, match=rf"{stage}: the run began with another recipe"):
        run(base, sums, copy, resume=True)


@pytest.mark.parametrize("stage", each_inside("teach"))
def test_a_stage_goes_on_after_a_kill(
    stage: str, whole: tuple[AdaptResult, Heard], base: Path, sums: Path, copy: Path
) -> None:
    undo(copy, stage)
    process = quick_context("spawn").Process(target=run_killed, args=(base, sums, copy, INSIDE[stage]))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    check_same(whole[0], copy, run(base, sums, copy, resume=True), stage)


@pytest.mark.parametrize("stage", each_inside("exits", "after"))
def test_a_stage_goes_on_after_a_ctrl_c(
    stage: str, whole: tuple[AdaptResult, Heard], base: Path, sums: Path, copy: Path
) -> None:
    undo(copy, stage)
    with pytest.raises((Interrupted, KeyboardInterrupt)):
        run(base, sums, copy, resume=True, heard=Heard(Faults(INSIDE[stage], interrupt)))
    check_same(whole[0], copy, run(base, sums, copy, resume=True), stage)
