"""The confidence in an answer: an estimate of the probability that it is right.

It is a logistic regression on a few features of all attempts. No single feature suffices: the verifier has not read the
other attempts, agreement says nothing about a single attempt, and the checker cannot decide every step. The regression
is fitted during calibration, on different problems from those used to compute the guarantee, so the guarantee holds
however good the regression is. `calibration` decides how much confidence an answer needs.
Dimensions: N answers, F features.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log, log1p
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from tuili.engine.attempt import Attempt, best_of, sigmoid
from tuili.engine.promises.familiarity import Familiar
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
    "untraced_steps",
    "unused_numbers",
    "log_familiarity",
)
"""The verifier's logit at the end and at its lowest (0 without a verifier); the mean and the minimum log-probability of
the likeliest tokens; the share of steps that the checker cannot decide; the logarithm of the number of decoded tokens;
whether the checker corrected a step; log(1 + n) for the n other attempts with the same answer, and likewise for those
with another answer; the share of steps that hold although some of their numbers have no known source; log(1 + n) for
the n numbers of the question that no step used; the logarithm of the p-value of the prompt's familiarity (0 without
one)."""
FITTED_FEATURES = (FEATURES[:9], FEATURES[:10], FEATURES)
"""The feature sets that current and earlier calibrations were fitted with."""
RIDGE_PENALTY = 1.0
"""Weight in the loss, a sum over answers, of the squared coefficients of the standardised features."""
CALIBRATION_BINS = 15
MAX_LOGIT = 20.0
"""Logits are clipped to [-`MAX_LOGIT`, `MAX_LOGIT`]."""


def features(attempts: Iterable[Attempt], familiar: Familiar | None = None) -> tuple[float, ...]:
    """The `FEATURES` of the answer that these attempts give to a prompt. Attempts without a whole answer are ignored.

    Raises `InputError` if no attempt has a whole answer.
    """
    whole = [attempt for attempt in attempts if attempt.response.complete]
    if not whole:
        raise InputError("no attempt has a whole answer whose confidence could be told")
    best = best_of(whole)
    steps, logprobs, logits = best.response.steps, best.top_logprobs, best.validity_logits
    undecided = sum(step.verdict.status is not Status.VALID for step in steps)
    others = [attempt.response.answer == best.response.answer for attempt in whole if attempt is not best]
    return (
        _clip(logits[-1]) if logits else 0.0,
        _clip(min(logits)) if logits else 0.0,
        fmean(logprobs),
        min(logprobs),
        undecided / len(steps) if steps else 1.0,
        log(len(logprobs)),
        float(any(step.corrected for step in steps)),
        log1p(others.count(True)),
        log1p(others.count(False)),
        sum(step.from_nowhere for step in steps) / len(steps) if steps else 0.0,
        log1p(len(best.response.unused)),
        log(familiar.p) if familiar else 0.0,
    )


def answer_features(attempts: Sequence[Attempt], familiar: Familiar | None) -> tuple[float, ...] | None:
    """The `FEATURES` of the answer that may be given under a promise. None if there is no such answer, because the
    prompt is unfamiliar or every attempt has a shortcoming.
    """
    may = familiar is None or familiar.enough
    return features(attempts, familiar) if may and not best_of(attempts).shortcoming else None


@dataclass(frozen=True)
class Confidence:
    """A coefficient for each of `FEATURES`, and a constant.

    A confidence fitted without the last features ignores them. Raises `InputError` for a number of coefficients that no
    version has fitted.
    """

    coefficients: tuple[float, ...]
    constant: float

    def __post_init__(self) -> None:
        sizes = [len(names) for names in FITTED_FEATURES]
        if len(self.coefficients) not in sizes:
            needed = " or ".join(map(str, sizes))
            raise InputError(f"confidence has {len(self.coefficients)} coefficients: {needed} are needed")

    def of(self, attempts: list[Attempt], familiar: Familiar | None = None) -> float:
        """The probability that the answer of these attempts is right; 0.0 if there is none."""
        if not any(attempt.response.complete for attempt in attempts):
            return 0.0
        return self.of_features(features(attempts, familiar))

    def of_features(self, values: Sequence[float]) -> float:
        """The probability for the values of `FEATURES`."""
        fitted = values[: len(self.coefficients)]
        logit = self.constant + sum(a * b for a, b in zip(self.coefficients, fitted, strict=True))
        return sigmoid(_clip(logit))

    def is_below(self, level: float, values: Sequence[float] | None) -> bool:
        """Whether an answer with these `FEATURES` has less confidence; None stands for no answer to give."""
        return values is None or self.of_features(values) < level


def fit(features_NF: NDArray[np.float64], right_N: NDArray[np.bool_]) -> Confidence:
    """Fit the regression to which answers are right, by Newton's method with step halving on standardised features.

    A feature that never varies gets a coefficient of 0. If all answers are right, or none is, only the constant is
    fitted.
    """
    right = int(right_N.sum())
    prior = log((right + 1) / (len(right_N) - right + 1))
    if right in (0, len(right_N)):
        return Confidence((0.0,) * features_NF.shape[1], prior)
    mean_F, scale_F = features_NF.mean(0), features_NF.std(0)
    varies_F = scale_F > 1e-9
    scale_F = np.where(varies_F, scale_F, 1.0)
    x_NG = np.column_stack([(features_NF - mean_F) / scale_F * varies_F, np.ones(len(features_NF))])
    penalty_G = np.append(np.full(len(mean_F), RIDGE_PENALTY), 0.0)
    weight_G = np.append(np.zeros(len(mean_F)), prior)
    loss = _loss(x_NG, right_N, weight_G, penalty_G)
    for _ in range(100):
        p_N = 1 / (1 + np.exp(-np.clip(x_NG @ weight_G, -MAX_LOGIT, MAX_LOGIT)))
        gradient_G = x_NG.T @ (p_N - right_N) + penalty_G * weight_G
        curvature_GG = (x_NG.T * (p_N * (1 - p_N))) @ x_NG + np.diag(penalty_G + 1e-6)
        step_G = np.linalg.solve(curvature_GG, gradient_G)
        while (next_loss := _loss(x_NG, right_N, weight_G - step_G, penalty_G)) > loss and np.abs(step_G).max() > 1e-8:
            step_G = step_G / 2
        if np.abs(step_G).max() <= 1e-8:
            break
        weight_G, loss = weight_G - step_G, next_loss
    coefficient_F = weight_G[:-1] * varies_F / scale_F
    return Confidence(tuple(coefficient_F.tolist()), float(weight_G[-1] - coefficient_F @ mean_F))


def _loss(
    x_NG: NDArray[np.float64], right_N: NDArray[np.bool_], weight_G: NDArray[np.float64], penalty_G: NDArray[np.float64]
) -> float:
    """The penalised negative log-likelihood."""
    logit_N = x_NG @ weight_G
    return float(np.logaddexp(0, np.where(right_N, -logit_N, logit_N)).sum() + penalty_G @ weight_G**2 / 2)


def calibration_bins(prob_N: NDArray[np.float64], right_N: NDArray[np.bool_]) -> list[tuple[int, float, float]]:
    """For each of `CALIBRATION_BINS` equal parts of [0, 1] that contains answers: their number, their mean probability,
    and the share that are right.
    """
    bin_N = np.minimum((prob_N * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    members = (bin_N == number for number in range(CALIBRATION_BINS))
    return [
        (int(in_N.sum()), float(prob_N[in_N].mean()), float(right_N[in_N].mean())) for in_N in members if in_N.any()
    ]


def calibration_error(prob_N: NDArray[np.float64], right_N: NDArray[np.bool_]) -> float:
    """Expected calibration error: the mean absolute difference between probability and share right over
    `calibration_bins`, weighted by the number of answers (Guo et al. 2017, arXiv 1706.04599).
    """
    return sum(count * abs(mean - share) for count, mean, share in calibration_bins(prob_N, right_N)) / len(prob_N)


def _clip(logit: float) -> float:
    """Clip a logit to the limits; NaN counts as the lowest."""
    return -MAX_LOGIT if logit != logit else max(-MAX_LOGIT, min(MAX_LOGIT, logit))
