"""How many tokens of looked-up drafts pay off, given the costs of rows that run together.

A step over few rows is bound by memory, so further rows are nearly free. A step over many rows is bound by computation,
so each row costs as much as a token that needs no draft. The same rule therefore drafts a lot for one sequence and
nothing for many.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tuili.engine.runtime.lookup import MAX_TOKENS

LEAST_GAIN = 1.03
"""Minimum speed-up for which drafts are worth the work around them, which the costs of rows do not include."""
WORTH_LOOKING = 1.3
"""Minimum speed-up with entirely correct drafts for which drafts are looked up at all: half of them are wrong, and each
lookup takes time for its sequence."""
TYPICAL_COSTS: Mapping[int, float] = {1: 1.0, 4: 1.2, 8: 1.6, 16: 3.2}
"""The costs of rows before any were measured: in 8 bits with AVX-512, relative to one row."""
MOST_ROWS = 256
"""Maximum rows of a step with drafts."""


class DraftPlan:
    """Decides on drafts by the measured costs of steps over some numbers of rows, interpolated linearly in between.

    sequences: the number of sequences up to which drafts can pay off.
    """

    def __init__(self, costs: Mapping[int, float]) -> None:
        rows, rising = list(costs), np.maximum.accumulate(list(costs.values()))  # measurements may fall by chance
        end = rising[-1] + (rising[-1] - rising[-2]) / (rows[-1] - rows[-2]) * (MOST_ROWS - rows[-1])
        self._costs: list[float] = np.interp(range(MOST_ROWS + 1), [*rows, MOST_ROWS], [*rising, end]).tolist()
        counts = range(1, MOST_ROWS // (1 + MAX_TOKENS) + 1)
        self.sequences = sum(self._most_gain(count) >= WORTH_LOOKING for count in counts)

    def _most_gain(self, rows: int) -> float:
        """The maximum speed-up of this many sequences with drafts that are entirely correct."""
        speeds = [read / self._costs[read] for read in range(rows, rows * (1 + MAX_TOKENS) + 1)]
        return max(speeds) / speeds[0]

    def lengths(self, chances: Sequence[Sequence[float]], rows: int, most: float = MOST_ROWS) -> list[int]:
        """How many tokens of each draft to read in a step that already has `rows` rows, for the most tokens per cost.

        Args:
            chances: for each token of a draft, the probability that it and all tokens before it are right.
            most: the maximum total number of rows.
        """
        surest = sorted((-chance, owner) for owner, draft in enumerate(chances) for chance in draft)
        best, taken, tokens = LEAST_GAIN * rows / self._costs[rows], 0, float(rows)
        for count, (chance, _) in enumerate(surest[: int(min(MOST_ROWS, most)) - rows], start=1):
            tokens -= chance
            if tokens > best * self._costs[rows + count]:
                best, taken = tokens / self._costs[rows + count], count
        owners = [owner for _, owner in surest[:taken]]
        return [owners.count(owner) for owner in range(len(chances))]


TYPICAL_PLAN = DraftPlan(TYPICAL_COSTS)
