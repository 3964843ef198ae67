"""Successive halving: many candidates with few steps first, the best third of them with three times as many, and so on
(Jamieson and Talwalkar 2016, arXiv 1502.07943)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

REDUCTION = 3


@dataclass(frozen=True)
class Rung:
    """count: of candidates. steps: of the recovery of each, all steps of its chain together."""

    count: int
    steps: int


def rungs(count: int, total: int) -> tuple[Rung, ...]:
    """For so many candidates to begin with, and so many steps in all, of which each rung has about the same share."""
    counts = [count]
    while counts[-1] > 1:
        counts.append(-(-counts[-1] // REDUCTION))
    return shared(counts, total)


def shared(counts: Sequence[int], total: int) -> tuple[Rung, ...]:
    """Rungs of so many candidates, of which each has about the same share of the steps."""
    return tuple(Rung(each, total // (len(counts) * each)) for each in counts)


def fitting(most: int, least: int, total: Callable[[int, int], int]) -> tuple[Rung, ...]:
    """With as many candidates, `most` at most, as get `least` steps in the first rung; empty where not one does.

    total: the steps that there is time for, where so many candidates are tried and so many models measured.
    """
    for count in range(most, 0, -1):
        planned = rungs(count, max(0, total(count, sum(rung.count for rung in rungs(count, 0)))))
        if planned[0].steps >= least:
            return planned
    return ()


def total_steps(planned: Sequence[Rung]) -> int:
    """Of all candidates of all rungs."""
    return sum(rung.count * rung.steps for rung in planned)
