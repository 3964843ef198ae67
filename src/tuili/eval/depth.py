"""The benefit of depth: accuracy at every exit and with automatic depth, and whether harder problems go deeper.

Nothing is decoded here: the comparison uses the responses of one pass per depth, the trend uses those for `auto`.
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
from tuili.eval.response import Response


@dataclass(frozen=True)
class DepthPoint:
    """One way to choose depth, on one set of problems. `seconds` is wall-clock time including prefill."""

    depth: str
    accuracy: float
    mean: dict[str, float]
    mean_depth: float
    tokens: int
    seconds: float


@dataclass(frozen=True)
class DepthTrend:
    """Mean depth (layers) at each level of a domain, and Spearman's rank correlation of depth with level.

    `spearman` is computed over the domain's problems. `rises`: its 95% interval (Fisher's z) lies above zero.
    """

    domain: str
    by_level: dict[str, float]
    spearman: float
    rises: bool


def depth_point(depth: Depth, responses: Sequence[Response], seconds: float) -> DepthPoint:
    """The figures of responses at one depth, which took `seconds` to decode."""
    return DepthPoint(
        depth=str(depth),
        accuracy=accuracy(responses),
        mean=mean_by_level(cells(responses)),
        mean_depth=mean_depth(responses),
        tokens=sum(len(response.depths) for response in responses),
        seconds=seconds,
    )


def depth_trends(responses: Sequence[Response]) -> list[DepthTrend]:
    """Whether depth increases with the level, for each domain with responses at two levels or more."""
    trends = []
    for domain in dict.fromkeys(response.problem.domain for response in responses):
        group = [response for response in responses if response.problem.domain == domain]
        levels = sorted({response.problem.level for response in group})
        if len(levels) < 2:
            continue
        rho = spearman([response.problem.level for response in group], [response.depth for response in group])
        trends.append(
            DepthTrend(
                domain=domain,
                by_level={str(level): fmean(r.depth for r in group if r.problem.level == level) for level in levels},
                spearman=rho,
                rises=_above_zero(rho, len(group)),
            )
        )
    return trends


def spearman(first: Sequence[float], second: Sequence[float]) -> float:
    """Spearman's rank correlation with ties averaged; 0.0 if one side does not vary."""
    one, two = _centred_ranks(first), _centred_ranks(second)
    scale = sqrt(float(one @ one) * float(two @ two))
    return float(one @ two) / scale if scale else 0.0


def _centred_ranks(values: Sequence[float]) -> NDArray[np.float64]:
    _, place, count = np.unique(np.asarray(values, dtype=float), return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return np.asarray((last - (count - 1) / 2)[place] - (len(values) + 1) / 2, dtype=np.float64)


def _above_zero(rho: float, n: int) -> bool:
    return n > 3 and atanh(min(rho, 1 - 1e-12)) > Z95 / sqrt(n - 3)
