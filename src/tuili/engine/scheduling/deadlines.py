"""The deadlines of running sequences: when decoding must end so that each response can still be judged."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf

from tuili.engine.scheduling.costs import DEADLINE_SAFETY_FACTOR, Costs
from tuili.engine.sequence import Sequence


class Deadlines:
    """Times by which sequences must have been decoded, in seconds of the scheduler's clock.

    They are valid as of the last `refresh`, except for sequences removed since.
    """

    def __init__(self, costs: Costs) -> None:
        self._costs = costs
        self._running: list[tuple[float, Sequence]] = []
        """The deadlines of running sequences, in the order in which they were added."""
        self._decoded_by: dict[Sequence, float] = {}
        self._refreshed_for: tuple[float, float] | None = None
        """The seconds of jitter and judging for which the times are valid; None if sequences were added or removed."""

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
        """Add a sequence that runs now, if it has a deadline."""
        if sequence.limits.deadline is not None:
            self._running.append((sequence.limits.deadline, sequence))
            self._refreshed_for = None
        self.refresh()

    def refresh(self) -> None:
        """Recompute the times so that all responses can be judged one after another by their deadlines, even if the
        engine is delayed by the recent jitter.
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
        """Seconds within which a sequence must have been decoded; infinite without a deadline."""
        return self._decoded_by.get(sequence, inf) - now

    def pace(self, sequences: Iterable[Sequence], now: float, further: int = 0) -> float:
        """Seconds available per token expected of a sequence, plus `further` tokens, for the sequence that has the
        fewest; infinite without deadlines."""
        expected = self._costs.expected_tokens_left
        timed = (each for each in sequences if each in self)
        return min((self.seconds_left(each, now) / (expected(each) + further) for each in timed), default=inf)

    def remove(self, sequence: Sequence) -> None:
        """Remove a sequence, if it is there."""
        if self._decoded_by.pop(sequence, None) is not None:
            self._running = [pair for pair in self._running if pair[1] is not sequence]
            self._refreshed_for = None
