"""Successive halving: many candidates run with few steps first, the best third of them with three times as many, and
so on (Jamieson and Talwalkar 2016, arXiv 1502.07943)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

REDUCTION = 3


@dataclass(frozen=True)
class Rung:
    """count: number of candidates. steps: recovery steps of each candidate, summed over its chain."""

    count: int
    steps: int


def rungs(count: int, total: int) -> tuple[Rung, ...]:
    """The rungs for this many initial candidates and total steps; each rung gets about the same share of the steps."""
    counts = [count]
    while counts[-1] > 1:
        counts.append(-(-counts[-1] // REDUCTION))
    return shared(counts, total)


def shared(counts: Sequence[int], total: int) -> tuple[Rung, ...]:
    """Rungs with these numbers of candidates; each rung gets about the same share of the steps."""
    return tuple(Rung(each, total // (len(counts) * each)) for each in counts)


def fitting(most: int, least: int, total: Callable[[int, int], int]) -> tuple[Rung, ...]:
    """The rungs with as many candidates, up to `most`, as can get `least` steps in the first rung; empty if none can.

    total: gives the steps that fit into the time, from the number of candidates tried and of models measured.
    """
    for count in range(most, 0, -1):
        planned = rungs(count, max(0, total(count, sum(rung.count for rung in rungs(count, 0)))))
        if planned[0].steps >= least:
            return planned
    return ()


def total_steps(planned: Sequence[Rung]) -> int:
    """The steps of all candidates in all rungs."""
    return sum(rung.count * rung.steps for rung in planned)
