"""How long a step may take, and how much may be put into it, so that running sequences meet their deadlines.

`costs` measures what work takes; `deadlines` knows by when each sequence must have been decoded; `scheduler` asks.
"""

from __future__ import annotations

from math import inf

from tuili.engine.runtime.runner import ModelRunner
from tuili.engine.scheduling.costs import DEADLINE_SAFETY_FACTOR, Cost, Costs
from tuili.engine.scheduling.deadlines import Deadlines
from tuili.engine.sequence import Sequence

MIN_PREFILL_TOKENS = 64
"""Prompt tokens that a step may read although that slows decoding down, so that waiting sequences get their turn."""


class Pacing:
    """Decides what fits into the next step.

    Args:
        decoding: the sequences being decoded, a list that the scheduler changes.
    """

    def __init__(self, runner: ModelRunner, costs: Costs, deadlines: Deadlines, decoding: list[Sequence]) -> None:
        self._runner, self._costs, self._deadlines, self._decoding = runner, costs, deadlines, decoding

    def longest_step(self) -> float:
        """Seconds to allow for a step without looked-up drafts: the trunk for one text, all layers for several."""
        together = max(1, len(self._decoding))
        groups = len(self._runner.exits) - 1 if together > 1 else 0
        drafts = [self._runner.draft_length(each) + 1 for each in self._decoding if each.depth == "exact"]
        drafting = self._costs.drafts.expected(sum(drafts)) if drafts else 0.0
        unread = sum(each.unread for each in self._decoding)
        reading = self._costs.prefill.expected(unread) if unread else 0.0
        layers = self._costs.trunk.expected(together) + groups * self._costs.group.expected(together)
        return DEADLINE_SAFETY_FACTOR * (layers + drafting + reading)

    def prefill_budget(self, chunk: int, reading: Cost, now: float) -> int:
        """Prompt tokens that a step may read, at most a chunk.

        Args:
            reading: the cost of reading them.
        """
        deadlines = self._deadlines
        if (pace := deadlines.pace(self._decoding, now)) == inf:
            return chunk
        step = self.longest_step()
        spare = min(deadlines.seconds_left(sequence, now) for sequence in self._decoding) - step
        return min(
            chunk,
            reading.largest_within(spare / DEADLINE_SAFETY_FACTOR),
            max(reading.largest_within((pace - step) / DEADLINE_SAFETY_FACTOR), MIN_PREFILL_TOKENS),
        )

    def most_rows(self, sequences: int, now: float) -> float:
        """How many rows a step may read with looked-up drafts if no sequence waits or is prefilled. Each row may take
        as long as one row of a step without drafts, and the other sequences as long as that step, since they run deeper
        layers alone. The time of one more token must be left."""
        step, pace = self.longest_step(), self._deadlines.pace(self._decoding, now, further=1)
        return sequences * (pace / step - 1) if step > 0.0 else sequences
