"""Figures of answers that are right or wrong: shares with their 95% intervals, differences, and jobs that ask.

Which questions are asked is left to each benchmark.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from statistics import fmean
from typing import Any

from benchmarks.harness.record import Figure
from tuili.eval import Job, paired_difference, run_jobs, wilson_interval
from tuili.model import LoadedModel


def share(name: str, right: Sequence[bool], what: str = "accuracy") -> dict[str, Figure]:
    """The share of right answers, its interval (Wilson's) and the number of problems; nothing without a problem."""
    if not right:
        return {}
    low, high = wilson_interval(sum(right), len(right))
    values = {what: fmean(right), "low95": low, "high95": high}
    figures = {f"{name}_{key}": Figure("share", [value]) for key, value in values.items()}
    return figures | {f"{name}_n": Figure("problems", [len(right)])}


def paired(name: str, one: Sequence[bool], other: Sequence[bool]) -> dict[str, Figure]:
    """How much larger the share of `one` is over the same problems, in points, and its interval."""
    return _in_points(name, *paired_difference(one, other)) if one else {}


def unpaired(name: str, one: Sequence[bool], other: Sequence[bool]) -> dict[str, Figure]:
    """How much larger the share of `one` is than that of `other` over other problems, in points, and its interval.

    The interval is made of the two intervals of Wilson (Newcombe 1998, method 10).
    """
    if not one or not other:
        return {}
    first, second = fmean(one), fmean(other)
    (low1, high1), (low2, high2) = (wilson_interval(sum(side), len(side)) for side in (one, other))
    low = first - second - sqrt((first - low1) ** 2 + (high2 - second) ** 2)
    high = first - second + sqrt((high1 - first) ** 2 + (second - low2) ** 2)
    return _in_points(name, first - second, (low, high))


def _in_points(name: str, difference: float, interval: tuple[float, float]) -> dict[str, Figure]:
    values = {name: difference, f"{name}_low95": interval[0], f"{name}_high95": interval[1]}
    return {key: Figure("points", [100 * value]) for key, value in values.items()}


def asked_side_by_side(loaded: LoadedModel, jobs: Mapping[str, Job]) -> dict[str, Any]:
    """The result of each job. The jobs share the cores, and each says when it has ended."""

    def tell(name: str, finished: int, total: int) -> None:
        if finished == total:
            print(f"bench: {name}: {total} problems", flush=True)

    return run_jobs(loaded, jobs, tell)
