"""What is lost by leaving inputs out is least, by comparison with least squares over every choice."""

from __future__ import annotations

from itertools import combinations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tuili.compress.pruning import reconstruction
from tuili.compress.pruning.reconstruction import inputs_of, reconstruct

TOKENS, OUTPUTS = 200, 3


@pytest.fixture(autouse=True)
def undamped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconstruction, "DAMPING", 1e-12)


def drawn(seed: int, inputs: int, stack: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    """Weights, inputs that depend on one another, and their second moments."""
    generator = torch.Generator().manual_seed(seed)
    weight_EOI = torch.randn(stack, OUTPUTS, inputs, generator=generator, dtype=torch.float64)
    mixing_EII = torch.randn(stack, inputs, inputs, generator=generator, dtype=torch.float64)
    input_ENI = torch.randn(stack, TOKENS, inputs, generator=generator, dtype=torch.float64) @ mixing_EII
    return weight_EOI, input_ENI, input_ENI.mT @ input_ENI / TOKENS


def lost(weight_OI: Tensor, input_NI: Tensor, other_OI: Tensor) -> float:
    return float(((weight_OI - other_OI) @ input_NI.T).square().sum(0).mean())


def least_lost(weight_OI: Tensor, input_NI: Tensor, kept: list[int]) -> float:
    output_NO = input_NI @ weight_OI.T
    fitted = torch.linalg.lstsq(input_NI[:, kept], output_NO).solution
    return float((output_NO - input_NI[:, kept] @ fitted).square().sum(1).mean())


@given(st.integers(0, 99), st.sampled_from([(6, 6, 5), (6, 3, 2), (8, 2, 1)]))
def test_the_one_group_is_removed_whose_loss_is_least(seed: int, sizes: tuple[int, int, int]) -> None:
    inputs, groups, keep = sizes
    (weight_OI,), (input_NI,), moment_1II = drawn(seed, inputs)
    kept_1G, fitted_1OI = reconstruct(weight_OI[None], moment_1II, groups, keep)
    columns = [
        inputs_of(torch.tensor(choice), inputs // groups).tolist() for choice in combinations(range(groups), keep)
    ]
    losses = [least_lost(weight_OI, input_NI, kept) for kept in columns]
    kept = inputs_of(kept_1G, inputs // groups)[0].tolist()
    assert kept == columns[losses.index(min(losses))]
    assert lost(weight_OI, input_NI, fitted_1OI[0]) == pytest.approx(min(losses), rel=1e-6)
    assert fitted_1OI[0].abs().sum(0).nonzero().flatten().tolist() == kept


@pytest.mark.parametrize("passes", [128, 2])
@pytest.mark.parametrize("groups", [12, 4])
def test_many_groups_go_one_behind_the_other_and_the_others_make_up_for_them(
    groups: int, passes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconstruction, "PASSES", passes)
    weight_EOI, input_ENI, moment_EII = drawn(7, 12, stack=2)
    kept_EG, fitted_EOI = reconstruct(weight_EOI, moment_EII, groups, groups // 4)
    for weight_OI, input_NI, kept_G, fitted_OI in zip(weight_EOI, input_ENI, kept_EG, fitted_EOI, strict=True):
        kept = inputs_of(kept_G, 12 // groups).tolist()
        assert len(kept) == 3
        assert lost(weight_OI, input_NI, fitted_OI) == pytest.approx(least_lost(weight_OI, input_NI, kept), rel=1e-6)
    if passes < groups - groups // 4:
        return
    weight_OI, input_NI, left = weight_EOI[0], input_ENI[0], list(range(groups))
    while len(left) > groups // 4:  # slowly: the best one of all that are left, by least squares
        choices = [[group for group in left if group != gone] for gone in left]
        losses = [
            least_lost(weight_OI, input_NI, inputs_of(torch.tensor(choice), 12 // groups).tolist())
            for choice in choices
        ]
        left = choices[losses.index(min(losses))]
    assert kept_EG[0].tolist() == left


def test_what_others_can_say_goes_first_and_is_not_missed() -> None:
    (weight_OI,), (input_NI,), _ = drawn(1, 5)
    input_NI[:, 3] = 2 * input_NI[:, 0] - input_NI[:, 4]
    weight_OI[:, 3] *= 100  # by its size it would stay
    kept, fitted_1OI = reconstruct(weight_OI[None], (input_NI.T @ input_NI / TOKENS)[None], 5, 4)
    assert {0, 3, 4} - {*kept[0].tolist()}
    torch.testing.assert_close(input_NI @ fitted_1OI[0].T, input_NI @ weight_OI.T, rtol=1e-4, atol=1e-4)


def test_layers_lose_the_same_together() -> None:
    weight_EOI, _, moment_EII = drawn(3, 8, stack=3)
    weight_EOI[2] *= 1000  # it decides
    alone, _ = reconstruct(weight_EOI, moment_EII, 8, 4)
    together, fitted_EOI = reconstruct(weight_EOI, moment_EII, 8, 4, together=True)
    assert [kept.tolist() for kept in together] == [alone[2].tolist()] * 3
    assert alone[0].tolist() != alone[2].tolist()
    assert all(one.abs().sum(0).nonzero().flatten().tolist() == alone[2].tolist() for one in fitted_EOI)


def test_inputs_that_nothing_was_seen_of_go_by_their_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # with the damping
    weight_EOI, _, moment_EII = drawn(5, 6, stack=2)
    moment_EII[1] = 0.0
    kept_EG, fitted_EOI = reconstruct(weight_EOI, moment_EII, 6, 3)
    heaviest = weight_EOI[1].square().sum(0).argsort(descending=True)[:3].sort().values
    assert kept_EG[1].tolist() == heaviest.tolist()
    torch.testing.assert_close(fitted_EOI[1][:, heaviest], weight_EOI[1][:, heaviest])
