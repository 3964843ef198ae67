"""One try at an answer, checked; and of several tries the one to give.

What the next one is told is left to `controller`, how sure an answer is to `confidence`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log
from statistics import fmean

from tuili.engine.sequence import Row
from tuili.engine.written import Written

DOUBTED = 0.1
"""Weight in the vote of an answer with a wrong step."""
LEAST_CHANCE = 1e-6
"""Tokens are taken to be at least so likely, lest one of them decide everything."""


@dataclass(frozen=True)
class Attempt:
    """One row that has ended, and what it says behind the steps that it was given.

    lacks: why it is no answer, empty if it is one. validity, believed: for each token of the response the verifier's
    logit and probability that nothing up to and with it is wrong, for the last one that the answer is right; empty
    where there is no verifier, or it was not asked.
    """

    row: Row
    written: Written
    lacks: str
    validity: tuple[float, ...] = ()
    believed: tuple[float, ...] = ()

    @property
    def log_chances(self) -> list[float]:
        """For each token that was written, the logarithm of the probability of the likeliest one there."""
        return [log(max(chance, LEAST_CHANCE)) for chance in self.row.chances]

    @property
    def weight(self) -> float:
        """How much it counts in a vote."""
        if not self.written.complete:
            return 0.0
        sure = self.believed[-1] if self.believed else exp(fmean(self.log_chances))
        return sure * (DOUBTED if self.lacks else 1.0)


def best_of(tried: Sequence[Attempt]) -> Attempt:
    """The attempt whose answer is to be given: one that lacks nothing, of the answer that weighs most."""
    votes: defaultdict[str, float] = defaultdict(float)
    for attempt in tried:
        votes[attempt.written.answer] += attempt.weight
    return max(tried, key=lambda attempt: (not attempt.lacks, votes[attempt.written.answer], attempt.weight))


def sigmoid(logit: float) -> float:
    """1 / (1 + exp(-logit)) without overflow."""
    return 1 / (1 + exp(-logit)) if logit >= 0 else 1 - 1 / (1 + exp(logit))
