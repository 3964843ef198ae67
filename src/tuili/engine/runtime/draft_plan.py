"""How many tokens of looked-up drafts pay, by the costs of rows that run together.

Memory bounds a step over few rows, so that further ones are nearly free; computing bounds one over many, where each
costs as much as a token that needs no draft. So the same rule drafts much for one sequence and nothing for many.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tuili.engine.runtime.lookup import MAX_TOKENS

LEAST_GAIN = 1.03
"""How many times as fast drafts must be to be worth the work around them, which costs of rows leave out."""
WORTH_LOOKING = 1.3
"""How many times as fast drafts must be that are all right, to be looked up at all: half of them are wrong, and looking
up takes time for each sequence."""
TYPICAL_COSTS: Mapping[int, float] = {1: 1.0, 4: 1.2, 8: 1.6, 16: 3.2}
"""The costs of rows before any were measured: in 8 bits with AVX-512, relative to one row."""
MOST_ROWS = 256
"""Of a step with drafts."""


class DraftPlan:
    """Decides on drafts by what steps over some numbers of rows cost; for others a line between these is taken.

    sequences: beside so many others drafts can pay.
    """

    def __init__(self, costs: Mapping[int, float]) -> None:
        rows, rising = list(costs), np.maximum.accumulate(list(costs.values()))  # what was measured may fall by chance
        end = rising[-1] + (rising[-1] - rising[-2]) / (rows[-1] - rows[-2]) * (MOST_ROWS - rows[-1])
        self._costs: list[float] = np.interp(range(MOST_ROWS + 1), [*rows, MOST_ROWS], [*rising, end]).tolist()
        counts = range(1, MOST_ROWS // (1 + MAX_TOKENS) + 1)
        self.sequences = sum(self._most_gain(count) >= WORTH_LOOKING for count in counts)

    def _most_gain(self, rows: int) -> float:
        """How many times as fast so many sequences are with drafts that are all right."""
        speeds = [read / self._costs[read] for read in range(rows, rows * (1 + MAX_TOKENS) + 1)]
        return max(speeds) / speeds[0]

    def lengths(self, chances: Sequence[Sequence[float]], rows: int, most: float = MOST_ROWS) -> list[int]:
        """How many tokens of each draft are read beside so many rows, for the most tokens at the least cost.

        Args:
            chances: for each token of a draft how likely it and all before it are right.
            most: rows that may be read in all.
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
