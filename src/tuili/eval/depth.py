"""What depth buys: accuracy at every exit and under the automatic choice, and whether harder problems go
deeper.

Both read trials that were already run: the comparison those of one pass for each depth, the trend those of `auto`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import atanh, sqrt
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from tuili.engine import Depth
from tuili.eval.accuracy import Z95, accuracy, cells, mean_by_level, mean_depth
from tuili.eval.runner import Trial


@dataclass(frozen=True)
class DepthPoint:
    """One way to choose depth, on one set of problems. `seconds` is wall-clock, prefill included."""

    depth: str
    accuracy: float
    mean: dict[str, float]
    mean_depth: float
    tokens: int
    seconds: float


@dataclass(frozen=True)
class DepthTrend:
    """Mean depth at each level of a domain, and Spearman's rank correlation of depth with level over its
    problems.

    `rises` says that the correlation's 95% interval (Fisher's z) lies above zero.
    """

    domain: str
    by_level: dict[str, float]
    spearman: float
    rises: bool


def depth_point(depth: Depth, trials: Sequence[Trial], seconds: float) -> DepthPoint:
    """What trials at one depth, decoded in so many seconds, come to."""
    return DepthPoint(
        depth=str(depth),
        accuracy=accuracy(trials),
        mean=mean_by_level(cells(trials)),
        mean_depth=mean_depth(trials),
        tokens=sum(len(trial.generation.tokens) for trial in trials),
        seconds=seconds,
    )


def depth_against_level(trials: Sequence[Trial]) -> list[DepthTrend]:
    """Whether depth rises with difficulty, for each domain with trials at two levels or more."""
    trends = []
    for domain in dict.fromkeys(trial.problem.domain for trial in trials):
        own = [trial for trial in trials if trial.problem.domain == domain]
        levels = sorted({trial.problem.level for trial in own})
        if len(levels) < 2:
            continue
        rho = spearman([trial.problem.level for trial in own], [trial.depth for trial in own])
        trends.append(
            DepthTrend(
                domain=domain,
                by_level={str(level): fmean(t.depth for t in own if t.problem.level == level) for level in levels},
                spearman=rho,
                rises=_above_zero(rho, len(own)),
            )
        )
    return trends


def spearman(first: Sequence[float], second: Sequence[float]) -> float:
    """Spearman's rank correlation with ties averaged; 0.0 when one side does not vary."""
    one, two = _centred_ranks(first), _centred_ranks(second)
    scale = sqrt(float(one @ one) * float(two @ two))
    return float(one @ two) / scale if scale else 0.0


def _centred_ranks(values: Sequence[float]) -> NDArray[np.float64]:
    _, place, count = np.unique(np.asarray(values, dtype=float), return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return np.asarray((last - (count - 1) / 2)[place] - (len(values) + 1) / 2, dtype=np.float64)


def _above_zero(rho: float, n: int) -> bool:
    return n > 3 and atanh(min(rho, 1 - 1e-12)) > Z95 / sqrt(n - 3)
