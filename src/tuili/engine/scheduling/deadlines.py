"""The deadlines of running sequences: when each must have been decoded, so that its response can still be judged."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf

from tuili.engine.scheduling.costs import DEADLINE_SAFETY_FACTOR, Costs
from tuili.engine.sequence import Sequence


class Deadlines:
    """Times of the scheduler's clock, in seconds, by which sequences must have been decoded.

    They hold as of the last `refresh`, but for sequences that were removed since.
    """

    def __init__(self, costs: Costs) -> None:
        self._costs = costs
        self._running: list[tuple[float, Sequence]] = []
        """The deadlines of running sequences, in the order in which these were added."""
        self._decoded_by: dict[Sequence, float] = {}
        self._refreshed_for: tuple[float, float] | None = None
        """The seconds of jitter and judging that the times hold for; None where sequences came or went since."""

    def __bool__(self) -> bool:
        """Whether any running sequence has a deadline."""
        return bool(self._running)

    def __contains__(self, sequence: Sequence) -> bool:
        return sequence in self._decoded_by

    @property
    def sequences(self) -> list[Sequence]:
        """The running sequences with deadlines."""
        return list(self._decoded_by)

    def add(self, sequence: Sequence) -> None:
        """Note a sequence that runs now, if it has a deadline."""
        if sequence.limits.deadline is not None:
            self._running.append((sequence.limits.deadline, sequence))
            self._refreshed_for = None
        self.refresh()

    def refresh(self) -> None:
        """Compute the times anew, so that all responses can be judged one after the other by their deadlines, even if
        the engine is held up by the jitter of late.
        """
        jitter, judging = self._costs.jitter, DEADLINE_SAFETY_FACTOR * self._costs.judge.expected(1)
        if (jitter, judging) == self._refreshed_for:
            return
        self._decoded_by, latest = {}, inf
        for deadline, sequence in sorted(self._running, key=lambda pair: pair[0], reverse=True):
            latest = min(latest, deadline - jitter) - judging
            self._decoded_by[sequence] = latest
        self._refreshed_for = jitter, judging

    def seconds_left(self, sequence: Sequence, now: float) -> float:
        """Seconds in which a sequence must have been decoded; infinite without a deadline."""
        return self._decoded_by.get(sequence, inf) - now

    def pace(self, sequences: Iterable[Sequence], now: float, further: int = 0) -> float:
        """Seconds for each token that one of these sequences is expected to need, and for so many further ones, where
        they are fewest; infinite without deadlines."""
        expected = self._costs.expected_tokens_left
        timed = (each for each in sequences if each in self)
        return min((self.seconds_left(each, now) / (expected(each) + further) for each in timed), default=inf)

    def remove(self, sequence: Sequence) -> None:
        """Forget a sequence, if it is there."""
        if self._decoded_by.pop(sequence, None) is not None:
            self._running = [pair for pair in self._running if pair[1] is not sequence]
            self._refreshed_for = None
