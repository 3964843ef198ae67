"""The deadlines of running sequences: when each must have been decoded, so that its response can still be judged."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf

from tuili.engine.scheduling.costs import Costs
from tuili.engine.sequence import Sequence

DEADLINE_SAFETY_FACTOR = 1.5
"""Work is begun before a deadline only if this many times its expected seconds still fit."""


class Deadlines:
    """Times of the scheduler's clock, in seconds, by which sequences must have been decoded."""

    def __init__(self, costs: Costs) -> None:
        self._costs = costs
        self._decoded_by: dict[Sequence, float] = {}

    def __bool__(self) -> bool:
        """Whether any running sequence has a deadline."""
        return bool(self._decoded_by)

    def __contains__(self, sequence: Sequence) -> bool:
        return sequence in self._decoded_by

    @property
    def sequences(self) -> list[Sequence]:
        """The running sequences with deadlines."""
        return list(self._decoded_by)

    def update(self, running: Iterable[Sequence]) -> None:
        """Compute the times anew, so that all responses can be judged one after the other by their deadlines."""
        with_deadline = [(each.limits.deadline, each) for each in running if each.limits.deadline is not None]
        judging = DEADLINE_SAFETY_FACTOR * self._costs.judge.expected(1)
        self._decoded_by, latest = {}, inf
        for deadline, sequence in sorted(with_deadline, key=lambda pair: pair[0], reverse=True):
            latest = min(latest, deadline) - judging
            self._decoded_by[sequence] = latest

    def seconds_left(self, sequence: Sequence, now: float) -> float:
        """Seconds in which a sequence must have been decoded; infinite without a deadline."""
        return self._decoded_by.get(sequence, inf) - now

    def remove(self, sequence: Sequence) -> None:
        """Forget a sequence, if it is there."""
        self._decoded_by.pop(sequence, None)
