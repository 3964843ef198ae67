"""Timing of a running search: whether a candidate is likely to finish in time, and how many steps the remaining rungs
can have."""

from __future__ import annotations

from dataclasses import replace

from tuili.compress.auto.halving import Rung, shared
from tuili.compress.auto.kept import Kept, Schedule
from tuili.compress.auto.pace import Pace
from tuili.compress.auto.search import TimeIsOver
from tuili.compress.auto.settings import CHECKED_MODELS
from tuili.compress.auto.stopwatch import Stopwatch

LEAST_CORRECTION = 0.5
"""A search that is faster than planned is expected to continue at no more than twice the planned pace."""


class Timing:
    """Timing of one session of a search whose schedule is stored. limit: seconds of all sessions together."""

    def __init__(self, kept: Kept, watch: Stopwatch, limit: float) -> None:
        self._kept, self._watch, self._limit = kept, watch, limit

    @property
    def rungs(self) -> int:
        """The number of rungs."""
        return len(self._schedule.rungs)

    @property
    def pace(self) -> Pace:
        """The scheduled pace, corrected by the time that everything has taken so far."""
        planned, (steps, models) = self._schedule.pace, self._kept.done
        if models < 2:  # only the parent
            return planned
        return planned.times(max(LEAST_CORRECTION, self._watch.seconds / planned.seconds_for(steps, models)))

    def check(self, steps: int) -> None:
        """Raise `TimeIsOver` if a candidate with this many steps is unlikely to finish in time. The first candidate is
        always made."""
        if self._kept.begun and self._watch.seconds + self.pace.seconds_for(steps, 1) > self._limit:
            raise TimeIsOver

    def rung(self, number: int) -> Rung:
        """A rung, with the steps that fit into the time left when it begins; a resumed session keeps these steps.

        Raises `TimeIsOver` if they are no more than the steps of the rung before.
        """
        schedule = self._schedule
        if number < schedule.begun:
            return schedule.rungs[number]
        if number:
            before, rest = schedule.rungs[:number], schedule.rungs[number:]
            models = sum(rung.count for rung in rest) + CHECKED_MODELS - 1  # the parent is already measured
            steps = self.pace.steps_in(self._limit - self._watch.seconds, models)
            rest = shared([rung.count for rung in rest], max(0, steps))
            if rest[0].steps <= before[-1].steps:
                raise TimeIsOver
            schedule = replace(schedule, rungs=(*before, *rest))
        self._kept.fix(replace(schedule, begun=number + 1))
        return schedule.rungs[number]

    @property
    def _schedule(self) -> Schedule:
        schedule = self._kept.schedule
        assert schedule is not None
        return schedule
