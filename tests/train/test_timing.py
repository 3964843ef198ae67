"""Where the time of a run goes, and what it will take."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.train.conftest import go, small
from tuili.train.checkpoint import read_checkpoint
from tuili.train.timing import TIMED_STEPS, WARM_UP_STEPS, Forecast, peak_memory, spending

TOLD = WARM_UP_STEPS + TIMED_STEPS


def ticking(seconds: float) -> Iterator[float]:
    now = 0.0
    while True:
        yield now
        now += seconds


def lines(first: int, steps: int, seconds_a_step: float) -> dict[int, str]:
    """What is told after each step, if it takes this long and reads 600 tokens."""
    times = iter([10.0, 10.0 + TIMED_STEPS * seconds_a_step])
    forecast = Forecast(first, steps, clock=lambda: next(times))
    told = {step: forecast.after(step, 600, 2_000_000_000) for step in range(first + 1, steps + 1)}
    return {step: line for step, line in told.items() if line}


@pytest.mark.parametrize(
    ("steps", "seconds", "duration"),
    [(TOLD + 100, 0.5, "50 s"), (TOLD + 1000, 0.5, "8 minutes"), (TOLD + 90_000, 0.5, "12.5 hours")],
)
def test_after_the_first_steps_one_line_tells_what_the_rest_takes(steps: int, seconds: float, duration: str) -> None:
    left = f"left: {steps - TOLD:,} steps, about {duration} at 1,200 tokens/s, with up to 2.0 GB of memory"
    assert lines(0, steps, seconds) == {TOLD: left}


def test_a_session_that_goes_on_tells_what_is_left_for_it() -> None:
    (told,) = lines(40, 100, 1.0).items()
    assert told == (40 + TOLD, "left: 50 steps, about 50 s at 600 tokens/s, with up to 2.0 GB of memory")


def test_a_run_that_is_over_by_then_tells_nothing() -> None:
    assert not lines(0, TOLD, 1.0)


def test_times_of_a_part_add_up() -> None:
    seconds, clock = dict[str, float](), ticking(1.0)
    for part in ("a", "b", "a"):
        with spending(seconds, part, clock=lambda: next(clock)):
            pass
    assert seconds == {"a": 2, "b": 1}


def test_memory_is_counted_in_bytes_of_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: 7)
    for device in (None, torch.device("cpu")):
        assert 20_000_000 < peak_memory(device) < 1_000_000_000_000
    assert peak_memory(torch.device("cuda")) == 7


def test_a_run_notes_where_its_time_went(few_samples: None, tmp_path: Path) -> None:
    steps = TOLD + 1
    _, shown = go(small("checkpoint.interval=100", steps=steps), tmp_path)
    assert "\nleft: 1 steps, about " in shown
    state = read_checkpoint(tmp_path / "checkpoints", steps).state
    assert state["spent"].keys() == {
        "waiting for data",
        "forward and backward",
        "sums over the replicas",
        "update of the weights",
    }
    assert 0 < sum(state["spent"].values()) <= state["seconds"]
