"""Chooses the confidence at which tokens leave, on texts that exits have not learnt from.

`policy` applies a threshold to a text.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tuili.posttrain.exits.policy import Reading

_LOWEST, _HIGHEST = 0.5, 0.999


@dataclass(frozen=True)
class Tried:
    """The result of a threshold. loss: points of next-token accuracy below another reading, mostly of full depth."""

    threshold: float
    mean_depth: float
    loss: float
    agreement: float


def try_threshold(threshold: float, reading: Reading, aim: Reading) -> Tried:
    """The result of tokens leaving at a threshold, compared with another reading of the same texts."""
    loss = 100 * (aim.accuracy - reading.accuracy)
    return Tried(threshold, reading.mean_depth, loss, reading.agreement(aim))


def choose_threshold(
    read_at: Callable[[float], Reading], aim: Reading, tolerated: float, tries: int
) -> tuple[float, list[Tried]]:
    """The lowest threshold, by bisection, that loses at most `tolerated` points against `aim`; and all that were tried.

    If even the highest loses more, no token leaves: the threshold is 1.
    """
    low, high, chosen, tried = _LOWEST, _HIGHEST, 1.0, list[Tried]()
    threshold = (low + high) / 2
    for _ in range(tries):
        one = try_threshold(threshold, read_at(threshold), aim)
        tried.append(one)
        if one.loss <= tolerated:
            chosen = high = threshold
        else:
            low = threshold
        threshold = 1 - ((1 - low) * (1 - high)) ** 0.5  # the geometric mean of the shares that may be lost
    return chosen, sorted(tried, key=lambda one: one.threshold)
