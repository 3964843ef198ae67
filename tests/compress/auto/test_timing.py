"""Rungs get the steps that there is time for when they begin, by the time that everything before has taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compress.auto.test_time import Clock
from tuili.compress.auto.halving import Rung
from tuili.compress.auto.kept import Kept, Schedule
from tuili.compress.auto.pace import Pace
from tuili.compress.auto.search import TimeIsOver
from tuili.compress.auto.stopwatch import Stopwatch
from tuili.compress.auto.targets import Found
from tuili.compress.auto.timing import Timing

PLANNED = Pace(1.0, 2.0)
RUNGS = (Rung(3, 10), Rung(1, 30))
LIMIT = PLANNED.seconds_for(60, 7)


def begun(folder: Path, slower: float) -> tuple[Kept, Clock, Timing]:
    """A search whose first rung is done, and has taken so many times as long as planned."""
    clock, kept = Clock(), Kept(folder)
    kept.fix(Schedule(("a", "b", "c"), RUNGS, PLANNED))
    timing = Timing(kept, Stopwatch(folder, clock), LIMIT)
    assert timing.rung(0) == RUNGS[0]
    for name, steps in (("parent", 0), ("a", 10), ("b", 10), ("c", 10)):
        kept.add(Found(name, steps, 1.0, 1.0, 0.5, {}, name))
    clock.now = slower * PLANNED.seconds_for(30, 4)
    return kept, clock, timing


@pytest.mark.parametrize("slower", [0.8, 0.9, 1.3])
def test_the_last_rung_has_the_time_that_is_left(slower: float, tmp_path: Path) -> None:
    _, clock, timing = begun(tmp_path, slower)
    real = PLANNED.times(slower)
    assert timing.pace.step == pytest.approx(real.step)
    rung = timing.rung(1)
    assert clock.now + real.seconds_for(rung.steps, 3) <= LIMIT < clock.now + real.seconds_for(rung.steps + 2, 3)
    assert (rung.steps < RUNGS[1].steps) == (slower > 1)


def test_a_rung_that_has_begun_keeps_its_steps(tmp_path: Path) -> None:
    _, clock, timing = begun(tmp_path, 1.0)
    rung = timing.rung(1)
    clock.now = LIMIT
    assert Timing(Kept(tmp_path), Stopwatch(tmp_path, clock), LIMIT).rung(1) == rung


def test_a_rung_of_no_more_steps_waits_for_more_time(tmp_path: Path) -> None:
    kept, _, timing = begun(tmp_path, 1.9)
    with pytest.raises(TimeIsOver):
        timing.rung(1)
    assert kept.schedule is not None
    assert kept.schedule.rungs == RUNGS
    longer = Timing(kept, Stopwatch(tmp_path, lambda: 0.0), 4 * LIMIT)
    assert longer.rung(1).steps > RUNGS[1].steps
    with pytest.raises(TimeIsOver):
        timing.check(10)


def test_what_a_model_takes_is_corrected_only_once_there_is_one(tmp_path: Path) -> None:
    clock, kept = Clock(), Kept(tmp_path)
    kept.fix(Schedule(("a",), RUNGS, PLANNED))
    kept.add(Found("parent", 0, 1.0, 1.0, 0.5, {}, "parent"))
    timing = Timing(kept, Stopwatch(tmp_path, clock), LIMIT)
    clock.now = 10 * LIMIT
    assert timing.pace == PLANNED
    timing.check(10)  # the first candidate is made whatever the time
