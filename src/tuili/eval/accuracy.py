"""Accuracy per domain and level, with intervals that say how far 200 problems can be trusted.

How deep the model went and which experts it used are looked at more closely by `depth` and `experts`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import sqrt
from statistics import fmean

from tuili.eval.runner import Trial
from tuili.steps import Status, check_chain, split_response

Z95 = 1.959963984540054  # the normal quantile of a two-sided 95% interval


@dataclass(frozen=True)
class Cell:
    """One domain at one level. `ci95` bounds the accuracy; the other figures are means over the `n` problems.

    `valid_steps` is the share of all written steps that the checker accepts, `complete` the share of
    responses that ended by themselves.
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


def wilson(right: int, n: int) -> tuple[float, float]:
    """The 95% score interval of `right` out of `n` (Wilson 1927); (0, 1) when nothing was tried."""
    if n == 0:
        return 0.0, 1.0
    share, z2 = right / n, Z95 * Z95
    centre, spread = share + z2 / (2 * n), Z95 * sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return max(0.0, (centre - spread) / (1 + z2 / n)), min(1.0, (centre + spread) / (1 + z2 / n))


def paired_difference(one: Sequence[bool], other: Sequence[bool]) -> tuple[float, tuple[float, float]]:
    """How much larger the share of `one` is than that of `other` over the same problems, and its 95% interval.

    The interval is Wald's with half a problem added to each of the four cells (Agresti and Min 2005).
    """
    pairs = list(zip(one, other, strict=True))
    n, gains, losses = len(pairs), pairs.count((True, False)), pairs.count((False, True))
    centre = (gains - losses) / (n + 2)
    margin = Z95 * sqrt(gains + losses + 1 - (gains - losses) ** 2 / (n + 2)) / (n + 2)
    return (gains - losses) / n, (max(-1.0, centre - margin), min(1.0, centre + margin))


def cells(trials: Iterable[Trial]) -> list[Cell]:
    """One cell for each domain and level, in the order in which they first appear within a level."""
    grouped: dict[tuple[int, str], list[Trial]] = {}
    for trial in trials:
        grouped.setdefault((trial.problem.level, trial.problem.domain), []).append(trial)
    return [_cell(domain, level, group) for (level, domain), group in grouped.items()]


def mean_by_level(cells: Sequence[Cell]) -> dict[str, float]:
    """Accuracy at each level, every domain weighing the same."""
    ordered = sorted(cells, key=lambda cell: cell.level)
    return {
        str(level): fmean(cell.accuracy for cell in group)
        for level, group in groupby(ordered, key=lambda cell: cell.level)
    }


def accuracy(trials: Sequence[Trial]) -> float:
    """The share of right answers among all trials."""
    return fmean(trial.correct for trial in trials)


def mean_depth(trials: Iterable[Trial]) -> float:
    """Layers per generated token, every token weighing the same; 0.0 when no token was generated."""
    depths = [depth for trial in trials for depth in trial.generation.depths]
    return fmean(depths) if depths else 0.0


def _cell(domain: str, level: int, trials: list[Trial]) -> Cell:
    right, n = sum(trial.correct for trial in trials), len(trials)
    verdicts = [
        verdict
        for trial in trials
        for verdict in check_chain(split_response(trial.generation.text).steps, trial.problem.context)
    ]
    return Cell(
        domain=domain,
        level=level,
        n=n,
        accuracy=right / n,
        ci95=wilson(right, n),
        mean_depth=mean_depth(trials),
        mean_tokens=fmean(len(trial.generation.tokens) for trial in trials),
        valid_steps=fmean(verdict.status is Status.VALID for verdict in verdicts) if verdicts else 0.0,
        complete=fmean(trial.generation.stop == "end" for trial in trials),
    )
