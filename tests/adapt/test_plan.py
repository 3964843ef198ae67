"""A plan says what is done within the minutes, and refuses minutes in which nothing is taught."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from rich.console import Console

from tuili.adapt import AdaptOptions
from tuili.adapt.plan import make_plan
from tuili.adapt.teaching import Taught, Teacher
from tuili.data import Record
from tuili.errors import InputError
from tuili.steps import CalculatorMode

PACE = {
    "step_seconds": 2.0, "teaching_overhead": 30.0, "loading": 1.0, "tokens_per_second": 100.0, "untaught_tokens": 50.0,
}  # fmt: skip
COUNTS = {"teach": 180, "calibrate": 60, "test": 60, "judged": 300}
LEARNT = [Record(input="3 bags of 4?", output="12", steps=("3 * 4 = 12",))]


class FakeTeacher(Teacher):
    """Reads all questions once in 100 steps."""

    passes, step_tokens, longest, recall_seconds = 4, 1000, 100, 3.0

    def __init__(self, calculator: CalculatorMode) -> None:
        self.calculator = calculator

    def tokens_of(self, record: Record) -> int:
        return 30

    def response_tokens(self, record: Record) -> int:
        return 10

    def steps_for(self, records: Iterable[Record], passes: int) -> int:
        return 100 * passes

    def teach(self, file: Path, steps: int, out: Path, interval: int, console: Console) -> Taught:
        raise AssertionError("a plan teaches nothing")


def options(minutes: float) -> AdaptOptions:
    return AdaptOptions(model="m", data=Path("d"), minutes=minutes)


def test_as_many_steps_are_planned_as_the_minutes_allow() -> None:
    long, short = (make_plan(options(minutes), FakeTeacher("forced"), PACE, LEARNT, COUNTS) for minutes in (30, 5))
    assert (long.steps, long.passes) == (400, 4)
    assert (short.steps, short.passes) == (135, 1.35)
    assert "as 5 minutes allow" in short.stages[1].does
    assert short.stages[1].seconds == 300


def test_minutes_in_which_nothing_is_taught_are_refused() -> None:
    """A tenth of the questions takes 10 steps of 2 seconds behind 30 seconds: 50 seconds."""
    assert make_plan(options(0.9), FakeTeacher("forced"), PACE, LEARNT, COUNTS).steps == 12
    for minutes in (0.8, 0.1):
        message = rf"--minutes {minutes:g}: .* takes 0\.83 minutes of teaching here: give 1 or more, and another --out"
        with pytest.raises(InputError, match=message):
            make_plan(options(minutes), FakeTeacher("forced"), PACE, LEARNT, COUNTS)


def test_several_attempts_are_planned_where_a_step_may_be_wrong() -> None:
    forced, repaired = (
        make_plan(options(30), FakeTeacher(mode), PACE, LEARNT, COUNTS).stages[-1] for mode in ("forced", "repair")
    )
    assert re.search("once, within promises", forced.does)
    assert re.search("once, in 4 attempts, within promises", repaired.does)
    assert (repaired.seconds - 1) / (forced.seconds - 1) == pytest.approx(9 / 5)
