"""The promise holds over many calibration samples, where the empirical choice breaks it."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuili.errors import InputError
from tuili.eval.calibration.guarantee import (
    CertifiedSetting,
    Infeasible,
    LossTable,
    certify,
    clopper_pearson_upper,
    empirical_setting,
    min_answered,
    oracle_coverage,
    p_value,
)

RUNS = 400


@given(st.integers(1, 60), st.data(), st.floats(0.01, 0.6))
def test_p_values_are_the_binomial_tail(n: int, data: st.DataObject, epsilon: float) -> None:
    wrong = data.draw(st.integers(0, n))
    exact = sum(comb(n, k) * epsilon**k * (1 - epsilon) ** (n - k) for k in range(wrong + 1))
    assert p_value(wrong, n, epsilon) == pytest.approx(exact, rel=1e-9)
    bound = clopper_pearson_upper(wrong, n, 0.05)
    assert wrong / n <= bound <= 1
    assert bound == 1 or p_value(wrong, n, bound) == pytest.approx(0.05, rel=1e-4)


def test_zero_errors_need_the_known_numbers_of_answers() -> None:
    assert [min_answered(epsilon, 0.05) for epsilon in (0.1, 0.05, 0.02, 0.01)] == [29, 59, 149, 299]


def sample(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Confidence, the true chance of being wrong, which falls with it, and whether it is wrong."""
    confidence_N = rng.random(count)
    error_N = 0.5 * (1 - confidence_N) ** 2
    return confidence_N, error_N, rng.random(count) < error_N


def begin(grid_S: np.ndarray, epsilon: float) -> int:
    """A setting that is likely to pass: at half the tolerated error. It does not depend on the sample."""
    return int(np.argmax((1 - grid_S) ** 2 / 6 > epsilon / 2)) - 1


def losses(confidence_N: np.ndarray, wrong_N: np.ndarray, grid_S: np.ndarray) -> LossTable:
    return LossTable(confidence_N >= grid_S[:, None], np.broadcast_to(wrong_N, (len(grid_S), len(wrong_N))))


@pytest.mark.parametrize("epsilon", [0.01, 0.02, 0.05, 0.1])
def test_over_many_samples_the_promise_is_broken_no_more_often_than_delta(epsilon: float) -> None:
    rng, grid_S = np.random.default_rng(0), np.linspace(0.98, 0.0, 50)
    # The mean of 0.5 (1 - c)² over c from the threshold to 1 is (1 - threshold)² / 6.
    true_S = (1 - grid_S) ** 2 / 6
    certified, empirical = [], []
    for _ in range(RUNS):
        confidence_N, _, wrong_N = sample(rng, 2000)
        sample_losses = losses(confidence_N, wrong_N, grid_S)
        result = certify(sample_losses, epsilon, 0.05, begin(grid_S, epsilon))
        certified.append(isinstance(result, CertifiedSetting) and true_S[result.setting] > epsilon)
        empirical_choice = empirical_setting(sample_losses, epsilon)
        empirical.append(empirical_choice is not None and true_S[empirical_choice] > epsilon)
    assert np.mean(certified) <= 0.05 + 3 * (0.05 * 0.95 / RUNS) ** 0.5
    assert np.mean(empirical) > 0.2, "the empirical choice breaks it, so this test can fail"


def test_with_enough_samples_nearly_all_is_answered_that_could_be() -> None:
    rng, grid_S = np.random.default_rng(3), np.linspace(0.98, 0.0, 99)
    shares = []
    for _ in range(50):
        confidence_N, error_N, wrong_N = sample(rng, 10_000)
        result = certify(losses(confidence_N, wrong_N, grid_S), 0.05, 0.05, begin(grid_S, 0.05))
        assert isinstance(result, CertifiedSetting)
        shares.append(result.coverage / oracle_coverage(confidence_N, error_N, 0.05))
    assert np.mean(shares) >= 0.9


def test_what_cannot_be_promised_says_what_can() -> None:
    rng = np.random.default_rng(1)
    confidence_N, _, wrong_N = sample(rng, 100)
    few = losses(confidence_N, wrong_N, np.array([0.9, 0.5, 0.0]))
    result = certify(few, 0.01, 0.05, 0)
    assert isinstance(result, Infeasible)
    assert result.needed == 299
    assert result.feasible is not None
    assert isinstance(certify(few, result.feasible, 0.05, 0), CertifiedSetting)
    assert isinstance(certify(few, result.feasible - 1e-6, 0.05, 0), Infeasible)


def test_a_fixed_start_is_where_the_sequence_begins() -> None:
    answered = np.ones((3, 400), dtype=bool)
    wrong = np.zeros((3, 400), dtype=bool)
    wrong[0, :100] = True
    assert isinstance(certify(LossTable(answered, wrong), 0.05, 0.05, start=0), Infeasible)
    result = certify(LossTable(answered, wrong), 0.05, 0.05, start=1)
    assert isinstance(result, CertifiedSetting)
    assert (result.setting, result.wrong, result.n, result.coverage) == (2, 0, 400, 1.0)


@pytest.mark.parametrize("shares", [{"epsilon": 0.0}, {"epsilon": 1.0}, {"epsilon": 0.1, "delta": float("nan")}])
def test_bad_shares_and_arrays_are_refused(shares: dict[str, float]) -> None:
    ones = np.ones((1, 5), dtype=bool)
    with pytest.raises(InputError, match="a share between 0 and 1"):
        certify(LossTable(ones, ones), **{"delta": 0.05} | shares, start=0)
    with pytest.raises(InputError, match="a setting from 0 to 0"):
        certify(LossTable(ones, ones), 0.1, 0.05, start=3)
    with pytest.raises(InputError, match="booleans"):
        LossTable(ones, ones.astype(float))  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(InputError, match="shape"):
        LossTable(ones, ones[:, :3])
