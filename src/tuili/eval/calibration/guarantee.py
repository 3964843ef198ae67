"""Learn-then-Test: determines for which setting it may be promised that at most a share epsilon of answers is wrong.

The promise holds with probability 1 - delta over the draw of the calibration sample. The method is that of Angelopoulos
et al. (2021, arXiv 2110.01052) with exact binomial p-values and fixed-sequence testing, for one class of requests
(epsilon, attempts, tokens). Each class has its own promise; there is no joint promise for all classes. The promise
requires that requests are drawn as the calibration sample was: `engine.promises.drift` monitors this. `calibrate`
defines the settings and collects the sample.

Dimensions: S settings from the most cautious to the most permissive, N samples.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from math import exp, lgamma, log, log1p

import numpy as np
from numpy.typing import NDArray

from tuili.errors import InputError


@dataclass(frozen=True)
class LossTable:
    """The losses of each setting on each calibration sample: whether it answered, and whether its answer was wrong.

    `wrong_SN` counts only where `answered_SN` is true. Raises `InputError` for arrays that do not match.
    """

    answered_SN: NDArray[np.bool_]
    wrong_SN: NDArray[np.bool_]

    def __post_init__(self) -> None:
        for name, array in (("answered_SN", self.answered_SN), ("wrong_SN", self.wrong_SN)):
            if array.dtype != np.bool_ or array.ndim != 2 or not array.size:
                raise InputError(f"{name}: {array.dtype} of shape {array.shape}; booleans of settings x samples needed")
        if self.answered_SN.shape != self.wrong_SN.shape:
            raise InputError(f"wrong_SN has shape {self.wrong_SN.shape}, answered_SN has {self.answered_SN.shape}")

    def error_counts(self) -> list[tuple[int, int]]:
        """For each setting: the number of its wrong answers, and the number of its answers."""
        wrong_S = np.count_nonzero(self.answered_SN & self.wrong_SN, axis=1)
        answered_S = np.count_nonzero(self.answered_SN, axis=1)
        return list(zip(wrong_S.tolist(), answered_S.tolist(), strict=True))


@dataclass(frozen=True)
class CertifiedSetting:
    """The most permissive setting that passed its test: `wrong` of its `n` answers were wrong.

    bound: the Clopper-Pearson upper bound on its error, at most epsilon. It describes the evidence. The promise is only
    epsilon, because the setting was chosen by its test. coverage: the share of samples that it answered.
    """

    setting: int
    n: int
    wrong: int
    bound: float
    coverage: float


@dataclass(frozen=True)
class Infeasible:
    """Why no setting passed its test, and what would change that.

    feasible: the smallest epsilon for which the first setting would pass; None if it answered nothing. needed: the
    fewest answers with which a setting can be certified for epsilon, if none of them is wrong.
    """

    reason: str
    feasible: float | None
    needed: int


def p_value(wrong: int, answered: int, epsilon: float) -> float:
    """P(Binomial(answered, epsilon) <= wrong): the probability of so few errors if the true share is epsilon."""
    if wrong >= answered:
        return 1.0
    if wrong < epsilon * answered:
        return _tail(wrong, answered, epsilon)
    return 1 - _tail(answered - wrong - 1, answered, 1 - epsilon)


def clopper_pearson_upper(wrong: int, answered: int, delta: float) -> float:
    """The Clopper-Pearson upper bound: the smallest error rate that so few errors rule out at level delta.

    It is rounded up at the ninth digit, and 1.0 if no error rate is ruled out.
    """
    if wrong >= answered:
        return 1.0
    low, high = wrong / answered, 1.0
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if p_value(wrong, answered, middle) <= delta else (middle, high)
    return high


def min_answered(epsilon: float, delta: float, wrong: int = 0) -> int:
    """The fewest answers with which `wrong` errors rule out an error rate of epsilon: 59 for none at 5% and 5%."""
    enough = wrong + 1
    while p_value(wrong, enough, epsilon) > delta:
        enough *= 2
    sizes = range(wrong + 1, enough + 1)
    return sizes[bisect_left(sizes, True, key=lambda n: p_value(wrong, n, epsilon) <= delta)]


def certify(losses: LossTable, epsilon: float, delta: float, start: int) -> CertifiedSetting | Infeasible:
    """Test the hypothesis "epsilon or more of the answers are wrong" for one setting after another.

    Testing begins at `start` and ends at the first setting for which the hypothesis is not rejected. Given the number
    of a setting's answers, its errors are binomial. Because `start` is chosen without these losses, the promise holds
    for any settings. Raises `InputError` for a share that is not between 0 and 1, or a start that is not a setting.
    """
    _check_shares(epsilon=epsilon, delta=delta)
    counts = losses.error_counts()
    if not 0 <= start < len(counts):
        raise InputError(f"start = {start}: a setting from 0 to {len(counts) - 1} is needed")
    passed = start
    while passed < len(counts) and p_value(*counts[passed], epsilon) <= delta:
        passed += 1
    if passed == start:
        return _infeasible(*counts[start], start, epsilon, delta)
    wrong, n = counts[passed - 1]
    bound = clopper_pearson_upper(wrong, n, delta)
    return CertifiedSetting(passed - 1, n, wrong, bound, n / losses.answered_SN.shape[1])


def empirical_setting(losses: LossTable, epsilon: float) -> int | None:
    """The usual choice, for comparison: the most permissive setting with at most epsilon of its answers wrong.

    It promises nothing: if its error is exactly epsilon, the true error exceeds epsilon in about half of all cases.
    """
    _check_shares(epsilon=epsilon)
    fitting = [index for index, (wrong, n) in enumerate(losses.error_counts()) if n and wrong <= epsilon * n]
    return fitting[-1] if fitting else None


def oracle_coverage(confidence_N: NDArray[np.float64], error_N: NDArray[np.float64], epsilon: float) -> float:
    """The largest share that a threshold on confidence could answer with a mean error of at most epsilon.

    `error_N` contains each sample's true probability of being wrong, or zeros and ones for the best choice in
    hindsight.
    """
    _check_shares(epsilon=epsilon)
    order_N = np.argsort(-confidence_N, kind="stable")
    answered_N = np.arange(1, len(order_N) + 1)
    # A threshold cannot separate samples of equal confidence.
    possible_N = np.diff(confidence_N[order_N], append=-np.inf) < 0
    kept_N = possible_N & (np.cumsum(error_N[order_N]) <= epsilon * answered_N)
    return float(np.max(answered_N, where=kept_N, initial=0)) / len(order_N)


def _tail(most: int, n: int, p: float) -> float:
    """P(Binomial(n, p) <= most) for most < n p, where the terms decrease from `most` downwards."""
    term = exp(lgamma(n + 1) - lgamma(most + 1) - lgamma(n - most + 1) + most * log(p) + (n - most) * log1p(-p))
    total = 0.0
    for k in range(most, -1, -1):
        total += term
        term *= k * (1 - p) / ((n - k + 1) * p)
        if term <= total * 1e-17:
            break
    return min(1.0, total)


def _infeasible(wrong: int, n: int, setting: int, epsilon: float, delta: float) -> Infeasible:
    needed = min_answered(epsilon, delta)
    if n < needed:
        reason = (
            f"setting {setting} answered {n} samples, and error <= {epsilon:.4g} needs {needed} even if none is wrong"
        )
    else:
        reason = f"setting {setting} had {wrong} of {n} answers wrong, too many to rule out an error of {epsilon:.4g}"
    return Infeasible(reason, clopper_pearson_upper(wrong, n, delta) if n else None, needed)


def _check_shares(**shares: float) -> None:
    for name, value in shares.items():
        if not 0 < value < 1:
            raise InputError(f"{name} = {value}: a share between 0 and 1 is needed, such as 0.05")
