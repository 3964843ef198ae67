"""The certificates are those of mapie, an independent implementation of Learn-then-Test, wherever both can be asked."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from mapie.risk_control import BinaryClassificationController, control_fwer

from tuili.eval.calibration.guarantee import CertifiedSetting, LossTable, certify, p_value

SHARED = [(seed, epsilon) for seed in range(6) for epsilon in (0.02, 0.05, 0.1)]


def answers(seed: int, count: int = 1500) -> tuple[np.ndarray, np.ndarray]:
    """Confidences, and whether each answer is right: more often than it says, or less."""
    rng = np.random.default_rng(seed)
    confidence_N = rng.beta(6, 0.7, count)
    return confidence_N, rng.random(count) < confidence_N ** rng.uniform(0.5, 1.5)


def losses(confidence_N: np.ndarray, right_N: np.ndarray, threshold_S: np.ndarray) -> LossTable:
    answered_SN = confidence_N >= threshold_S[:, None]
    return LossTable(answered_SN, answered_SN & ~right_N)


@pytest.mark.parametrize(("seed", "epsilon"), SHARED)
def test_the_same_threshold_controls_precision(seed: int, epsilon: float) -> None:
    confidence_N, right_N = answers(seed)
    threshold_S = np.quantile(confidence_N, np.linspace(0.8, 0, 60))
    table = losses(confidence_N, right_N, threshold_S)
    ours = certify(table, epsilon, 0.05, start=0)
    theirs = BinaryClassificationController(
        predict_function=lambda X: np.column_stack([1 - X[:, 0], X[:, 0]]),
        risk="precision",
        target_level=1 - epsilon,
        confidence_level=0.95,
        list_predict_params=threshold_S,
        fwer_method="fixed_sequence",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the risk is not monotonic, or that nothing is controlled
        theirs.calibrate(confidence_N[:, None], right_N.astype(int))
    # Rounding makes it count one error too many here and there.
    theirs_S, counts = np.ravel(theirs.p_values), table.error_counts()
    least_S, most_S = (np.array([p_value(wrong + more, n, epsilon) for wrong, n in counts]) for more in (0, 1))
    assert np.all((least_S - 1e-9 <= theirs_S) & (theirs_S <= most_S + 1e-9))
    assert np.isclose(theirs_S, least_S).mean() > 0.3
    certified = ours.setting + 1 if isinstance(ours, CertifiedSetting) else 0
    controlled = len(theirs.valid_predict_params)
    assert controlled <= certified
    assert controlled == certified or theirs_S[controlled] > least_S[controlled] + 1e-9


@pytest.mark.parametrize("seed", range(20))
def test_the_same_sequence_of_p_values_is_rejected(seed: int) -> None:
    confidence_N, right_N = answers(seed, 400)
    table = losses(confidence_N, right_N, np.quantile(confidence_N, np.linspace(0.7, 0, 40)))
    p_S = np.array([p_value(*counts, 0.05) for counts in table.error_counts()])
    certified = certify(table, 0.05, 0.05, start=0)
    rejected = control_fwer(p_S, 0.05, "fixed_sequence")
    assert rejected.tolist() == list(range(certified.setting + 1 if isinstance(certified, CertifiedSetting) else 0))
