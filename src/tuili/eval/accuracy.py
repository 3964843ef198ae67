"""Accuracy per domain and level, each with its 95% interval.

`depth` measures the use of depth, `experts` the use of experts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import sqrt
from statistics import fmean

from tuili.eval.response import Response
from tuili.steps import Status

Z95 = 1.959963984540054
"""The quantile of the standard normal distribution for a two-sided 95% interval."""


@dataclass(frozen=True)
class Cell:
    """One domain at one level, over `n` problems. `ci95` is the 95% Wilson interval of the accuracy.

    `mean_depth` is in layers per generated token, `mean_tokens` in tokens per response. `valid_steps` is the share of
    all written steps that the checker accepts, `complete` the share of responses that ended by themselves. `lenient`,
    with `lenient_ci95`, also counts an answer as right if only its last number is. `unparseable` is the number of
    responses without an answer, which are wrong by both scores.
    """

    domain: str
    level: int
    n: int
    accuracy: float
    ci95: tuple[float, float]
    mean_depth: float
    mean_tokens: float
    valid_steps: float
    complete: float
    lenient: float
    lenient_ci95: tuple[float, float]
    unparseable: int


def wilson_interval(right: int, n: int) -> tuple[float, float]:
    """The 95% score interval of `right` out of `n` (Wilson 1927); (0, 1) if nothing was tried."""
    if n == 0:
        return 0.0, 1.0
    share, z2 = right / n, Z95 * Z95
    centre, spread = share + z2 / (2 * n), Z95 * sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return max(0.0, (centre - spread) / (1 + z2 / n)), min(1.0, (centre + spread) / (1 + z2 / n))


def paired_difference(one: Sequence[bool], other: Sequence[bool]) -> tuple[float, tuple[float, float]]:
    """The share of `one` minus the share of `other` over the same problems, and the 95% interval of the difference.

    It is the Wald interval with half a problem added to each of the four cells (Agresti and Min 2005).
    """
    pairs = list(zip(one, other, strict=True))
    n, gains, losses = len(pairs), pairs.count((True, False)), pairs.count((False, True))
    centre = (gains - losses) / (n + 2)
    margin = Z95 * sqrt(gains + losses + 1 - (gains - losses) ** 2 / (n + 2)) / (n + 2)
    return (gains - losses) / n, (max(-1.0, centre - margin), min(1.0, centre + margin))


def cells(responses: Iterable[Response]) -> list[Cell]:
    """One cell for each domain and level, in the order in which they first appear within a level."""
    grouped: dict[tuple[int, str], list[Response]] = {}
    for response in responses:
        grouped.setdefault((response.problem.level, response.problem.domain), []).append(response)
    return [_cell(domain, level, group) for (level, domain), group in grouped.items()]


def mean_by_level(cells: Sequence[Cell]) -> dict[str, float]:
    """Accuracy at each level, with equal weight for every domain."""
    ordered = sorted(cells, key=lambda cell: cell.level)
    return {
        str(level): fmean(cell.accuracy for cell in group)
        for level, group in groupby(ordered, key=lambda cell: cell.level)
    }


def accuracy(responses: Sequence[Response]) -> float:
    """The share of right answers among all responses."""
    return fmean(response.correct for response in responses)


def mean_depth(responses: Iterable[Response]) -> float:
    """Layers per generated token, with equal weight for every token; 0.0 if no token was generated."""
    depths = [depth for response in responses for depth in response.depths]
    return fmean(depths) if depths else 0.0


def _cell(domain: str, level: int, responses: list[Response]) -> Cell:
    right, n = sum(response.correct for response in responses), len(responses)
    nearly = sum(response.nearly_correct for response in responses)
    statuses = [status for response in responses for status in response.statuses]
    return Cell(
        domain=domain,
        level=level,
        n=n,
        accuracy=right / n,
        ci95=wilson_interval(right, n),
        mean_depth=mean_depth(responses),
        mean_tokens=fmean(len(response.depths) for response in responses),
        valid_steps=fmean(status is Status.VALID for status in statuses) if statuses else 0.0,
        complete=fmean(response.ended for response in responses),
        lenient=nearly / n,
        lenient_ci95=wilson_interval(nearly, n),
        unparseable=sum(not response.answer for response in responses),
    )
