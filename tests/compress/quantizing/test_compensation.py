"""Rounding with compensation, by its slow form: after each input, all later ones change as least squares want it."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tuili.compress.moments import damped
from tuili.compress.quantizing import compensation
from tuili.compress.quantizing.compensation import inverse_factors
from tuili.model import mixed, round_weight

TOKENS, OUTPUTS = 300, 5


def compensated(weight_EOI: Tensor, moment_EII: Tensor, mixing: int) -> Tensor:
    return compensation.compensated(weight_EOI, inverse_factors(moment_EII, mixing), mixing)


def drawn(seed: int, inputs: int, stack: int = 2) -> tuple[Tensor, Tensor]:
    """Weights, and inputs that depend on one another."""
    generator = torch.Generator().manual_seed(seed)
    mixing_EII = torch.randn(stack, inputs, inputs, generator=generator, dtype=torch.float64)
    input_ENI = torch.randn(stack, TOKENS, inputs, generator=generator, dtype=torch.float64) @ mixing_EII
    return torch.randn(stack, OUTPUTS, inputs, generator=generator, dtype=torch.float64), input_ENI


def moment_of(input_ENI: Tensor) -> Tensor:
    return input_ENI.mT @ input_ENI / TOKENS


def lost(weight_EOI: Tensor, other_EOI: Tensor, input_ENI: Tensor) -> float:
    return float(((weight_EOI - other_EOI) @ input_ENI.mT).square().mean())


def slowly(weight_OI: Tensor, moment_II: Tensor) -> Tensor:
    """Each input is rounded and fixed; the later ones are then the best ones for what has been fixed."""
    weight_OI, outputs = weight_OI.clone(), range(len(weight_OI))
    for column in range(weight_OI.shape[1]):
        begin = column - column % 32
        if column == begin:
            left = slice(begin, None)
            spread_G = torch.linalg.cholesky(torch.linalg.inv(moment_II[left, left]), upper=True).diagonal()[:32]
            scale = compensation.best_scales(weight_OI[None, :, begin : begin + 32], spread_G)[0, :, 0]
            largest = weight_OI[:, begin : begin + 32].abs().argmax(1)
        number = (weight_OI[:, column] / scale).round().clamp(-8, 7)
        for output in outputs:
            if largest[output] == column - begin:
                number[output] = -8
        change = number * scale - weight_OI[:, column]
        weight_OI[:, column] = number * scale
        later = slice(column + 1, None)
        if column + 1 < weight_OI.shape[1]:
            weight_OI[:, later] -= torch.linalg.solve(
                moment_II[later, later], moment_II[later, column, None] * change
            ).T
    return weight_OI


def test_it_is_its_slow_form() -> None:
    weight_EOI, input_ENI = drawn(3, 64)
    moment_EII = moment_of(input_ENI)
    ours = compensated(weight_EOI, moment_EII, 0)
    for weight_OI, moment_II, our_OI in zip(weight_EOI, damped(moment_EII, compensation.DAMPING), ours, strict=True):
        torch.testing.assert_close(our_OI, slowly(weight_OI, moment_II), rtol=1e-9, atol=1e-9)


@given(st.integers(0, 99), st.sampled_from([(32, 32), (64, 64), (96, 32), (64, 0)]))
def test_what_comes_out_is_rounded_to_itself_and_loses_less(seed: int, sizes: tuple[int, int]) -> None:
    inputs, mixing = sizes
    weight_EOI, input_ENI = drawn(seed, inputs)
    ours = compensated(weight_EOI, moment_of(input_ENI), mixing).float()

    def rounded(weight: Tensor) -> Tensor:
        return mixed(round_weight(mixed(weight.float() / max(1, mixing), mixing), 4).value, mixing)

    torch.testing.assert_close(rounded(ours), ours, rtol=1e-5, atol=1e-5)
    assert lost(rounded(ours).double(), weight_EOI, input_ENI) < lost(
        rounded(weight_EOI).double(), weight_EOI, input_ENI
    )


def test_inputs_that_say_nothing_of_each_other_are_rounded_to_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    weight_EOI, _ = drawn(1, 32)
    variances = torch.rand(2, 32, dtype=torch.float64) + 0.1
    monkeypatch.setattr(compensation, "CLIPPED", (1.0,))
    ours = compensated(weight_EOI, variances.diag_embed(), 0)
    torch.testing.assert_close(ours.float(), round_weight(weight_EOI.float(), 4).value)
    unseen = compensated(weight_EOI, torch.zeros(2, 32, 32), 0)  # an expert that no sample has chosen
    torch.testing.assert_close(unseen, ours)


def test_a_scale_that_clips_is_taken_where_less_is_lost_by_it() -> None:
    even, peaked = torch.linspace(-1.0, 0.9, 32), torch.tensor([-1.0, *[0.11, -0.21] * 15, 0.3])
    scales = compensation.best_scales(torch.stack([even, peaked])[None].double(), torch.ones(1, 1, 32))
    tried = [(clipped / 8, float(lost_by(peaked, clipped / 8))) for clipped in compensation.CLIPPED]
    assert scales[0, 1].item() == pytest.approx(min(tried, key=lambda pair: pair[1])[0], rel=1e-3)
    assert scales[0, 1] < 0.99 / 8


def lost_by(weight: Tensor, scale: float) -> Tensor:
    return (weight - (weight / scale).round().clamp(-8, 7) * scale).square().sum()


@pytest.mark.parametrize("empty", [slice(0, 32), slice(40, 64)])
def test_a_whole_group_without_weights_stays_so_and_parts_do_no_harm(empty: slice) -> None:
    weight_EOI, input_ENI = drawn(2, 64)
    weight_EOI[:, :, empty] = 0.0
    ours = compensated(weight_EOI, moment_of(input_ENI), 0)
    assert ours.isfinite().all()
    if empty.start == 0:
        assert not ours[:, :, empty].any()
