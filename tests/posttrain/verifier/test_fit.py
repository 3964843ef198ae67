"""A verifier learns what can be learnt, the same for a seed, and judges the same in any batch."""

from __future__ import annotations

import pytest
import torch

from tuili.posttrain.verifier.chains import UNKNOWN_LABEL
from tuili.posttrain.verifier.examples import Examples
from tuili.posttrain.verifier.fit import FitConfig, fit_verifier, padded_places, predict_logits
from tuili.store import VerifierConfig

CONFIG = VerifierConfig(state_size=1, channels=16, layers=1, heads=2, dropout=0)


def sample(chains: int = 64) -> Examples:
    """Chains in which all is wrong from the first token on whose first feature is 10; odd chains have no labels."""
    generator = torch.Generator().manual_seed(0)
    length_C = torch.randint(3, 9, (chains,), generator=generator)
    start_C = length_C.cumsum(0) - length_C
    feature_NF = torch.randn(int(length_C.sum()), CONFIG.features, generator=generator)
    feature_NF[:, 0] = 10 * (torch.rand(len(feature_NF), generator=generator) < 0.2).float()
    label_N = torch.ones(len(feature_NF), dtype=torch.int8)
    for start, length in zip(start_C.tolist(), length_C.tolist(), strict=True):
        label_N[start : start + length] = (feature_NF[start : start + length, 0].cumsum(0) == 0).to(torch.int8)
    for chain in range(1, chains, 2):
        label_N[start_C[chain] : start_C[chain] + length_C[chain]] = UNKNOWN_LABEL
    nothing_C, all_C = torch.full((chains,), -1), torch.ones(chains, dtype=torch.bool)
    end_E, chain_E = start_C + length_C - 1, torch.arange(chains)
    return Examples(feature_NF.bfloat16(), label_N, start_C, length_C, nothing_C * 0, nothing_C, all_C, end_E, chain_E)


def test_it_learns_what_was_seen_before_and_hides_nothing_behind_a_batch() -> None:
    made = sample()
    settings = FitConfig(steps=150, rows=8, learning_rate=1e-2)
    progress: list[tuple[int, int]] = []
    verifier = fit_verifier(made, CONFIG, settings, seed=1, tell=lambda *done: progress.append(done))
    assert progress[-1] == (150, 150)
    logit_N = predict_logits(verifier, made)
    known_N = made.label_N != UNKNOWN_LABEL
    assert ((logit_N > 0) == (made.label_N == 1))[known_N].float().mean() > 0.95
    assert torch.allclose(predict_logits(verifier, made, rows=1), logit_N, atol=1e-5)


def test_a_seed_gives_always_the_same_verifier() -> None:
    made, settings = sample(), FitConfig(steps=20, rows=8, learning_rate=1e-2)
    fitted = (fit_verifier(made, CONFIG, settings, seed=seed, tell=lambda *_: None) for seed in (1, 1, 2))
    one, again, other = (predict_logits(verifier, made) for verifier in fitted)
    assert torch.equal(again, one)
    assert not torch.equal(other, one)


def test_labels_that_are_unknown_teach_nothing() -> None:
    made, settings = sample(), FitConfig(steps=5, rows=8)
    before = predict_logits(fit_verifier(made, CONFIG, settings, 1, lambda *_: None), made)
    unknown_N = made.label_N == UNKNOWN_LABEL
    odd_C = torch.arange(64) % 2 == 1
    assert torch.equal(unknown_N, odd_C.repeat_interleave(made.length_C))
    made.feature_NF[unknown_N] += 1
    assert torch.equal(
        predict_logits(fit_verifier(made, CONFIG, settings, 1, lambda *_: None), made)[~unknown_N], before[~unknown_N]
    )
    made.label_N[unknown_N] = 0
    assert not torch.equal(predict_logits(fit_verifier(made, CONFIG, settings, 1, lambda *_: None), made), before)


def test_rows_are_filled_up_behind_their_end() -> None:
    made = sample(3)
    place_AT = padded_places(made, torch.tensor([2, 0]))
    assert place_AT.shape == (2, int(made.length_C[[2, 0]].max()))
    for row, chain in enumerate((2, 0)):
        start, length = int(made.start_C[chain]), int(made.length_C[chain])
        assert place_AT[row, :length].tolist() == list(range(start, start + length))
        assert (place_AT[row, length:] == -1).all()


@pytest.mark.parametrize(("passes", "steps"), [(None, 9), (1, 2), (1.5, 3), (100, 9)])
def test_few_chains_are_passed_over_a_few_times_at_most(passes: float | None, steps: int) -> None:
    told: list[tuple[int, int]] = []
    settings = FitConfig(steps=9, passes=passes, rows=32)
    fit_verifier(sample(64), CONFIG, settings, 1, lambda done, whole: told.append((done, whole)))
    assert told == [(number, steps) for number in range(1, steps + 1)]


@pytest.mark.parametrize("value", [{"steps": 0}, {"passes": 0}, {"learning_rate": 0}, {"answer": -1}, {"speed": 1}])
def test_settings_that_cannot_be_are_refused(value: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(value))):
        FitConfig(**value)
