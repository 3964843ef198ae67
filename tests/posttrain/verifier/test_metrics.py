"""The figures of a verifier, against counting by hand."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from tuili.engine import calibration_error
from tuili.model import LOG_PROBABILITY_SCALE, probabilities
from tuili.posttrain.verifier.chains import CORRECT, GENERATED, UNKNOWN_LABEL
from tuili.posttrain.verifier.examples import SOURCES, Examples
from tuili.posttrain.verifier.metrics import (
    auroc,
    best_thresholds,
    calibrate_verifier,
    f1,
    first_error_shares,
    first_flagged,
    isotonic_curve,
    min_token_probability,
    verifier_figures,
)
from tuili.store import VerifierCalibration


def sample() -> Examples:
    """Two right chains and three wrong ones: at step 0, at the answer, and one that is not known for certain."""
    ends = [[2, 4, 5], [1, 3], [1, 4], [2, 3], [1, 3]]
    length_C = torch.tensor([of_chain[-1] + 1 for of_chain in ends])
    start_C = length_C.cumsum(0) - length_C
    sources = [CORRECT, CORRECT, "wrong_digit", "converse", "converse"]
    tokens = int(length_C.sum())
    return Examples(
        torch.zeros(tokens, 6),
        torch.ones(tokens, dtype=torch.int8),
        start_C,
        length_C,
        torch.tensor([SOURCES.index(source) for source in sources]),
        torch.tensor([-1, -1, 0, 1, 0]),
        torch.tensor([True, True, True, True, False]),
        torch.tensor([int(start) + end for start, of_chain in zip(start_C, ends, strict=True) for end in of_chain]),
        torch.tensor([place for place, of_chain in enumerate(ends) for _ in of_chain]),
    )


CHANCES = torch.tensor([0.9, 0.9, 0.6, 0.9, 0.9, 0.2, 0.1, 0.8, 0.4, 0.9, 0.9])


def test_the_first_end_below_the_threshold_is_named() -> None:
    assert first_flagged(sample(), CHANCES, (0.5, 0.5)).tolist() == [-1, -1, 0, 1, -1]
    assert first_flagged(sample(), CHANCES, (0.7, 0.7)).tolist() == [2, -1, 0, 1, -1]
    assert first_flagged(sample(), CHANCES, (0.85, 0.85)).tolist() == [2, -1, 0, 0, -1]


def test_a_first_error_counts_when_it_is_named_exactly() -> None:
    assert first_error_shares(sample(), CHANCES, (0.5, 0.5), ["wrong_digit", "converse"]) == (1.0, 1.0)
    assert first_error_shares(sample(), CHANCES, (0.85, 0.85), ["wrong_digit", "converse"]) == (0.5, 0.5)
    assert first_error_shares(sample(), CHANCES, (0.85, 0.85), ["converse"]) == (0.5, 0.0)
    assert f1((0.5, 1.0)) == pytest.approx(2 / 3)
    assert f1((0.0, 0.0)) == 0.0


def test_the_best_thresholds_name_most() -> None:
    kinds = ["wrong_digit", "converse"]
    assert f1(first_error_shares(sample(), CHANCES, best_thresholds(sample(), CHANCES, kinds), kinds)) == 1.0
    doubted = CHANCES.clone()
    doubted[2] = 0.3  # a right answer, less likely than the wrong one of another chain: only one can be had
    assert f1(first_error_shares(sample(), doubted, (0.5, 0.5), kinds)) == pytest.approx(2 / 3)
    assert f1(first_error_shares(sample(), doubted, best_thresholds(sample(), doubted, kinds), kinds)) == pytest.approx(
        2 / 3
    )
    doubted[[2, 7]] = torch.tensor([0.6, 0.55])  # and one threshold would not do for steps and answers
    doubted[8] = 0.58
    assert f1(first_error_shares(sample(), doubted, (0.57, 0.57), kinds)) < 1.0
    assert f1(first_error_shares(sample(), doubted, best_thresholds(sample(), doubted, kinds), kinds)) == 1.0


def test_auroc_counts_pairs() -> None:
    generator = torch.Generator().manual_seed(0)
    chance = (torch.rand(60, generator=generator) * 10).round() / 10
    is_right = torch.rand(60, generator=generator) < 0.4
    pairs = [(float(a > b) + 0.5 * float(a == b)) for a in chance[is_right] for b in chance[~is_right]]
    assert auroc(chance, is_right) == pytest.approx(sum(pairs) / len(pairs))
    assert auroc(chance, torch.ones(60, dtype=torch.bool)) == 0.5


def test_a_rising_curve_is_fitted_to_what_was_right() -> None:
    logit = torch.tensor([3.0, 1.0, 2.0, 0.0, 4.0, 5.0])
    is_right = torch.tensor([False, True, False, False, True, True])
    assert isotonic_curve(logit, is_right) == ((0.0, 1 / 8), (2.0, pytest.approx(1 / 3)), (4.5, 7 / 8))
    tied = isotonic_curve(torch.tensor([1.0, 1.0, 2.0]), torch.tensor([False, True, True]))
    assert tied == ((1.0, 0.5), (2.0, 4 / 5))
    assert isotonic_curve(torch.tensor([3.0, 4.0]), torch.tensor([True, True])) == ((3.5, 3 / 4), (4.5, 3 / 4))


def test_where_the_model_has_written_no_step_its_answers_are_measured_alone() -> None:
    assert isotonic_curve(torch.tensor([]), torch.tensor([])) == ((0.0, 0.5), (1.0, 0.5))
    whole = sample()
    own = replace(whole, source_C=torch.tensor([*whole.source_C[:3], *[SOURCES.index(GENERATED)] * 2]))
    steps_E = own.end_E[~own.last_E]
    own.label_N[steps_E] = UNKNOWN_LABEL
    doubt = calibrate_verifier(lambda feature_ATF: feature_ATF.sum(-1), own, [])  # type: ignore[arg-type]
    assert doubt.step == ((0.0, 0.5), (1.0, 0.5))
    figures = verifier_figures(own, CHANCES, (0.5, 0.5), [])
    assert figures["steps"] == 0
    assert figures["answers"] == 2
    assert "step_ece" not in figures
    assert all(figure == figure for figure in figures.values()), "JSON has no NaN"


def test_the_curve_makes_probabilities_of_logits() -> None:
    generator = torch.Generator().manual_seed(1)
    logit: Tensor = torch.randn(20_000, generator=generator) * 3
    is_right = torch.rand(20_000, generator=generator) < (0.5 * logit + 1).sigmoid()
    curve = isotonic_curve(logit[::2], is_right[::2])
    assert all(left[1] <= right[1] for left, right in pairwise(curve))
    answers = torch.ones(10_000, dtype=torch.bool)
    chance = probabilities(VerifierCalibration(curve, curve), logit[1::2], answers)
    right_N = is_right[1::2].numpy()
    assert calibration_error(chance.numpy(), right_N) < 0.02 < calibration_error(logit[1::2].sigmoid().numpy(), right_N)


def test_without_training_the_least_likely_token_of_a_step_speaks_for_it() -> None:
    made = sample()
    log_N = -(torch.arange(len(made.label_N)).float() * 5 % 7)
    made.feature_NF[:, 0] = log_N / LOG_PROBABILITY_SCALE
    probability_E, begin = min_token_probability(made), 0
    for place, end in enumerate(made.end_E.tolist()):
        assert float(probability_E[place]) == pytest.approx(float(log_N[begin : end + 1].min().exp()))
        begin = end + 1
