"""Kills of a run at random moments, and what each has cost. What follows from all of them is left to `recovery`."""

from __future__ import annotations

import math
import random
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

from benchmarks.training.killable import LOOK_SECONDS, Killable, Writes
from tuili.errors import InputError
from tuili.train import read_log

VICTIMS = ("worker", "launcher", "saving", "starting")
STRUCK = ("worker", "launcher", "all")
WRITE_LOOK_SECONDS = 0.005
LEAST_GOODPUT = 0.2
"""Below it a run that is killed by the clock is taken not to go on."""
FIRST_STEPS = 5
"""Steps behind a resume whose time says little of the others."""


@dataclass(frozen=True)
class Pace:
    """Of a run that was left alone, in seconds: all of it, until the first step, a step, and behind the last one; and
    of its writes beside steps the seconds and the steps."""

    whole: float
    start: float
    step: float
    end: float
    writes: list[float]
    write_steps: list[int]

    @property
    def write(self) -> float:
        """Seconds of a write; 0 where none was seen."""
        return statistics.median(self.writes) if self.writes else 0.0

    def times(self, seconds: float) -> int:
        """How many times the steps take so long at least."""
        return max(1, math.ceil((seconds - self.start - self.end) / (self.whole - self.start - self.end)))

    def around(self, steps: float) -> float:
        """Seconds of a run whose steps behind the first one take so long."""
        return self.start + steps + self.end


@dataclass(frozen=True)
class Kill:
    """What a kill has cost. strikes: how often a process was killed. recovery: seconds from the last one to the first
    step behind it. cost: seconds from the first one until the run is where it was. lost: steps that were done again.
    beside: steps beside a write that it has cut; None where it has cut none."""

    victim: str
    strikes: int
    recovery: float
    cost: float
    lost: int
    beside: int | None


def left_alone(run: Killable, steps: int) -> Pace:
    """Let a run end, and note its pace."""
    writes, begun = Writes(run), time.monotonic()
    first = last = 0.0

    def look() -> None:
        nonlocal first, last
        writes.look()
        at = run.step()
        first = first or (time.monotonic() if at else 0.0)
        last = last or (time.monotonic() if at >= steps else 0.0)

    whole = run.to_the_end(look)
    moments = [line["seconds"] for line in read_log(run.folder)]
    beside = [write for write in writes.seen if write.step < steps]
    return Pace(
        whole,
        first - begun,
        (moments[-1] - moments[0]) / max(1, len(moments) - 1),
        begun + whole - (last or begun + whole),
        [write.seconds for write in beside],
        [write.steps for write in beside],
    )


def kept(log: Sequence[Mapping[str, Any]], resumed: Iterable[int]) -> float:
    """Seconds that the steps of a log behind its first would have taken without kills. resumed: from where it went on.

    A log has each step once, and no time between sessions. What a kill has cost is at most in the first steps behind a
    resume, which count as the median step. All others count as they were, so that those beside a write are in it.
    """
    took: dict[int, float] = {line["step"]: line["seconds"] - before["seconds"] for before, line in pairwise(log)}
    first = {step + ahead for step in resumed for ahead in range(1, FIRST_STEPS + 1)}
    median = statistics.median(took.values())
    return sum(median if step in first else seconds for step, seconds in took.items())


def kill(
    run: Killable,
    victim: str,
    rng: random.Random,
    at: int,
    pace: Pace,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[Kill, int]:
    """Wait until a step, kill a victim at a random moment, and wait until the run is where it was; also that step.

    Raises `InputError` where it is at its end before, has failed, or does not go on.
    """
    run.start()
    run.until(lambda: run.step() >= at)
    if victim == "saving":
        run.until(lambda: bool(run.half_saved()), WRITE_LOOK_SECONDS)
    sleep(rng.uniform(0, pace.write if victim == "saving" else pace.step))
    begun, session, reached = time.monotonic(), run.session(), run.step()
    strikes = [rng.choice(STRUCK[:2]), rng.choice(STRUCK[:2])] if victim == "starting" else [victim]
    cut = list[int]()
    for number, struck in enumerate(strikes):
        if number:
            sleep(rng.uniform(0, pace.start))
            session = run.session()
        last = time.monotonic()
        run.strike("all" if struck == "saving" else struck, rng, lambda: cut.extend(run.half_saved()))

    def is_back() -> bool:
        nonlocal reached
        at = run.step()
        if run.session() != session:
            return True
        reached = max(reached, at)  # a step may have ended between the look and the kill
        return False

    run.until(is_back, may_fail=True)
    first = max(run.saved(), default=0)
    run.until(lambda: run.step() > first)
    recovery = time.monotonic() - last
    run.until(lambda: run.step() >= reached)
    beside = max((reached - step for step in cut if step > first), default=None)
    return Kill(victim, len(strikes), recovery, time.monotonic() - begun, max(0, reached - first), beside), reached


def end_under_kills(run: Killable, rng: random.Random, steps: int, pace: Pace, times: int) -> int:
    """Let a run end, of which all processes are killed at random moments behind its last step, and return how often."""
    done = 0
    run.start()
    run.to(lambda: run.step() >= steps)
    for number in range(times):
        time.sleep(rng.uniform(0, pace.end + (pace.start if number else 0)))
        if run.has_ended():
            return done
        run.strike("all", rng)
        done += 1
    run.to_the_end()
    return done


class Struck(Protocol):
    """What is killed by the clock."""

    def start(self) -> object:
        """Begin, or go on."""

    def has_ended(self, may_fail: bool = False) -> bool:
        """Whether it is at its end."""

    def strike(self, whom: str, rng: random.Random) -> None:
        """Kill some of it."""


def kill_by_the_clock(
    run: Struck,
    rng: random.Random,
    every: float,
    alone: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[int, float]:
    """Kill a run after each so many seconds until it ends; how often, and its seconds. alone: those without kills.

    Raises `InputError` where it does not come to its end.
    """
    begun, kills = clock(), 0
    run.start()
    while not run.has_ended(may_fail=True):
        if clock() - begun > alone / LEAST_GOODPUT:
            raise InputError(f"the run has not ended with a kill every {every:g} s")
        if clock() - begun >= every * (kills + 1):
            run.strike(rng.choice(STRUCK), rng)
            kills += 1
        sleep(LOOK_SECONDS)
    return kills, clock() - begun
