"""Kills a run at random moments and measures what each kill costs. Figures of all kills are left to `recovery`."""

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
"""Below this goodput, a run that is killed by the clock counts as making no progress."""
FIRST_STEPS = 5
"""Steps after a resume whose time says little about the others."""


@dataclass(frozen=True)
class Pace:
    """The pace of a run that was left alone, in seconds: the whole run, until the first step, a step, and after the
    last one; and of each write during steps, the seconds and the steps."""

    whole: float
    start: float
    step: float
    end: float
    writes: list[float]
    write_steps: list[int]

    @property
    def write(self) -> float:
        """Seconds of a write; 0 if none was seen."""
        return statistics.median(self.writes) if self.writes else 0.0

    def times(self, seconds: float) -> int:
        """By how much to multiply the steps for the run to take at least `seconds`."""
        return max(1, math.ceil((seconds - self.start - self.end) / (self.whole - self.start - self.end)))

    def around(self, steps: float) -> float:
        """Seconds of a whole run whose steps after the first one take `steps` seconds."""
        return self.start + steps + self.end


@dataclass(frozen=True)
class Kill:
    """What a kill cost. strikes: how often something was killed. recovery: seconds from the last strike to the first
    step after it. cost: seconds from the first strike until the run is back where it was. lost: steps that were
    repeated. beside: steps made during a write that was cut off; None if no write was."""

    victim: str
    strikes: int
    recovery: float
    cost: float
    lost: int
    beside: int | None


def left_alone(run: Killable, steps: int) -> Pace:
    """Let a run end, and record its pace."""
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
    """Seconds that a log's steps after the first would have taken without kills. resumed: the steps resumed from.

    A log has each step once, and no time between sessions. A kill can only have slowed the first steps after a resume,
    so these count as the median step. All others count as they were, so the steps made during a write are included.
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
    """Wait for a step, kill a victim at a random moment, and wait until the run is back where it was.

    Returns the kill, and the step where the run was. Raises `InputError` if the run ends before that, has failed, or
    makes no progress.
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
    """Let a run end, and kill all its processes at random moments after its last step; returns how often."""
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
    """Something that is killed by the clock."""

    def start(self) -> object:
        """Begin, or resume."""

    def has_ended(self, may_fail: bool = False) -> bool:
        """Whether it has reached its end."""

    def strike(self, whom: str, rng: random.Random) -> None:
        """Kill part of it, or all."""


def kill_by_the_clock(
    run: Struck,
    rng: random.Random,
    every: float,
    alone: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[int, float]:
    """Kill a run every `every` seconds until it ends; returns how often, and its seconds. alone: seconds without kills.

    Raises `InputError` if the run does not reach its end.
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
