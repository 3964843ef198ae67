"""How sure an answer is: the probability that it is right, from all that was seen while it was found.

A logistic regression on a handful of features, because each of them alone misses something: the verifier has read the
answer but not the other attempts, agreement says nothing about a single one, the checker cannot decide every step. It
is fitted when a model is calibrated, on other problems than the guarantee rests on; a guarantee holds however good or
bad it is. Which answers are sure enough is left to `calibration`.

Dimensions: N answers, F features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, log1p
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from tuili.engine.attempt import Attempt, best_of, sigmoid
from tuili.errors import InputError
from tuili.steps import Status

FEATURES = (
    "verified_answer",
    "verified_weakest",
    "mean_log_chance",
    "least_log_chance",
    "undecided_steps",
    "log_tokens",
    "put_right",
    "agreeing",
    "disagreeing",
)
"""The verifier's logit at the end and at its lowest (0 without one); of the likeliest tokens the mean and the least
log-probability; the share of steps that the checker cannot decide; the logarithm of the tokens written; whether the
checker put a step right; the logarithm of one more than the other attempts of the same, and of another, answer."""
RIDGE = 1.0
"""Weight of the penalty on squared coefficients of standardised features, against a sum over answers."""
BINS = 15
LIMIT = 20.0
"""Logits are held within this."""


def features(tried: Sequence[Attempt]) -> tuple[float, ...]:
    """The `FEATURES` of the answer that these attempts come to; attempts that were cut count for nothing.

    Raises `InputError` where none has an answer.
    """
    whole = [attempt for attempt in tried if attempt.written.complete]
    if not whole:
        raise InputError("no attempt has a whole answer whose confidence could be told")
    best = best_of(whole)
    steps, chances = best.written.steps, best.log_chances
    undecided = sum(step.verdict.status is not Status.VALID for step in steps)
    others = [attempt.written.answer == best.written.answer for attempt in whole if attempt is not best]
    return (
        _held(best.validity[-1]) if best.validity else 0.0,
        _held(min(best.validity)) if best.validity else 0.0,
        fmean(chances),
        min(chances),
        undecided / len(steps) if steps else 1.0,
        log(len(chances)),
        float(any(step.put_right for step in steps)),
        log1p(others.count(True)),
        log1p(others.count(False)),
    )


@dataclass(frozen=True)
class Confidence:
    """Coefficients for `FEATURES` as they are, and a constant. Raises `InputError` for another number of them."""

    coefficients: tuple[float, ...]
    constant: float

    def __post_init__(self) -> None:
        if len(self.coefficients) != len(FEATURES):
            raise InputError(f"confidence has {len(self.coefficients)} coefficients: {len(FEATURES)} are needed")

    def of(self, tried: Sequence[Attempt]) -> float:
        """The probability that the answer which these attempts come to is right; 0.0 if there is none."""
        if not any(attempt.written.complete for attempt in tried):
            return 0.0
        return self.of_features(features(tried))

    def of_features(self, found: Sequence[float]) -> float:
        """The same from its features."""
        logit = self.constant + sum(a * b for a, b in zip(self.coefficients, found, strict=True))
        return sigmoid(_held(logit))


def fit(features_NF: NDArray[np.float64], right_N: NDArray[np.bool_]) -> Confidence:
    """The coefficients that explain best which answers are right, by Newton's method on standardised features,
    with steps halved until they help.

    A feature that never varies gets none; and where all answers are right, or none is, only their number counts.
    """
    right = int(right_N.sum())
    prior = log((right + 1) / (len(right_N) - right + 1))
    if right in (0, len(right_N)):
        return Confidence((0.0,) * features_NF.shape[1], prior)
    mean_F, scale_F = features_NF.mean(0), features_NF.std(0)
    varies_F = scale_F > 1e-9
    scale_F = np.where(varies_F, scale_F, 1.0)
    x_NG = np.column_stack([(features_NF - mean_F) / scale_F * varies_F, np.ones(len(features_NF))])
    penalty_G = np.append(np.full(len(mean_F), RIDGE), 0.0)
    weight_G = np.append(np.zeros(len(mean_F)), prior)
    loss = _loss(x_NG, right_N, weight_G, penalty_G)
    for _ in range(100):
        p_N = 1 / (1 + np.exp(-np.clip(x_NG @ weight_G, -LIMIT, LIMIT)))
        gradient_G = x_NG.T @ (p_N - right_N) + penalty_G * weight_G
        curvature_GG = (x_NG.T * (p_N * (1 - p_N))) @ x_NG + np.diag(penalty_G + 1e-6)
        step_G = np.linalg.solve(curvature_GG, gradient_G)
        while (found := _loss(x_NG, right_N, weight_G - step_G, penalty_G)) > loss and np.abs(step_G).max() > 1e-8:
            step_G = step_G / 2
        if np.abs(step_G).max() <= 1e-8:
            break
        weight_G, loss = weight_G - step_G, found
    own_F = weight_G[:-1] * varies_F / scale_F
    return Confidence(tuple(own_F.tolist()), float(weight_G[-1] - own_F @ mean_F))


def _loss(
    x_NG: NDArray[np.float64], right_N: NDArray[np.bool_], weight_G: NDArray[np.float64], penalty_G: NDArray[np.float64]
) -> float:
    """The penalised negative log-likelihood."""
    logit_N = x_NG @ weight_G
    return float(np.logaddexp(0, np.where(right_N, -logit_N, logit_N)).sum() + penalty_G @ weight_G**2 / 2)


def bins(chance_N: NDArray[np.float64], right_N: NDArray[np.bool_]) -> list[tuple[int, float, float]]:
    """For each of `BINS` equal parts of [0, 1] that has any: how many, their mean probability, the share of right."""
    place_N = np.minimum((chance_N * BINS).astype(int), BINS - 1)
    found = (place_N == number for number in range(BINS))
    return [(int(own.sum()), float(chance_N[own].mean()), float(right_N[own].mean())) for own in found if own.any()]


def calibration_error(chance_N: NDArray[np.float64], right_N: NDArray[np.bool_]) -> float:
    """Expected calibration error: the mean distance of probability and share over `bins`, weighted by how many (Guo et
    al. 2017, arXiv 1706.04599).
    """
    return sum(count * abs(mean - share) for count, mean, share in bins(chance_N, right_N)) / len(chance_N)


def _held(logit: float) -> float:
    """A logit within the limits; what is no number inspires no confidence."""
    return -LIMIT if logit != logit else max(-LIMIT, min(LIMIT, logit))
