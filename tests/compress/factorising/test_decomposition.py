"""Factors lose least on the inputs that were seen: no others of their rank lose less."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tuili.compress.factorising.shared import SharedStack
from tuili.compress.factorising.whitened import SeparateFactors, WhitenedStack, error_of, roots
from tuili.compress.moments import damped

Sizes = tuple[int, int, int]
SIZES = st.tuples(st.integers(1, 4), st.integers(2, 9), st.integers(2, 9))
SEEDS = st.integers(0, 10_000)
FEW = settings(max_examples=40, deadline=None)


def stack(sizes: Sizes, seed: int) -> tuple[Tensor, Tensor]:
    """A stack of matrices, and second moments of inputs of which some directions are far larger than others."""
    generator = torch.Generator().manual_seed(seed)
    count, _, inputs = sizes
    weight_EOI = torch.randn(sizes, generator=generator, dtype=torch.float64)
    seen_ENI = torch.randn(count, 3 * inputs, inputs, generator=generator, dtype=torch.float64)
    seen_ENI = seen_ENI * torch.logspace(0, -2, inputs, dtype=torch.float64)
    seen_ENI = seen_ENI @ torch.randn(inputs, inputs, generator=generator, dtype=torch.float64)
    return weight_EOI, seen_ENI.mT @ seen_ENI / (3 * inputs)


@FEW
@given(SIZES, SEEDS, st.data())
def test_no_factors_of_the_rank_lose_less(sizes: Sizes, seed: int, data: st.DataObject) -> None:
    weight, moment = stack(sizes, seed)
    rank = data.draw(st.integers(1, min(sizes[1:])))
    whitened = WhitenedStack(weight, moment)
    factors = whitened.factors(rank)
    lost = error_of(weight, factors.product_EOI, moment)
    whole = error_of(weight, torch.zeros_like(weight), moment)
    assert lost == pytest.approx(whitened.errors[rank], rel=1e-6, abs=1e-9 * whole)
    assert whitened.errors[0] == pytest.approx(whole, rel=1e-6)
    assert torch.linalg.matrix_rank(factors.product_EOI).max() <= rank
    plain = WhitenedStack(weight, torch.eye(sizes[2]).expand(sizes[0], -1, -1)).factors(rank)
    assert lost <= error_of(weight, plain.product_EOI, moment) + 1e-9 * whole
    generator = torch.Generator().manual_seed(seed)
    for size in (1e-3, 0.1):
        inner = factors.inner_ERI + size * torch.randn(factors.inner_ERI.shape, generator=generator).double()
        outer = factors.outer_EOR + size * torch.randn(factors.outer_EOR.shape, generator=generator).double()
        assert lost <= error_of(weight, SeparateFactors(inner, outer).product_EOI, moment) + 1e-9 * whole


@FEW
@given(SIZES, SEEDS)
def test_less_is_lost_at_each_higher_rank_and_nothing_at_the_full_one(sizes: Sizes, seed: int) -> None:
    weight, moment = stack(sizes, seed)
    whitened = WhitenedStack(weight, moment)
    assert whitened.errors == sorted(whitened.errors, reverse=True)
    assert len(whitened.errors) == min(sizes[1:]) + 1
    torch.testing.assert_close(whitened.factors(min(sizes[1:])).product_EOI, weight, rtol=1e-6, atol=1e-6)


@FEW
@given(SIZES, SEEDS, st.data())
def test_shared_bases_lose_no_more_than_each_basis_alone(sizes: Sizes, seed: int, data: st.DataObject) -> None:
    weight, moment = stack(sizes, seed)
    moment = moment[:1].expand(sizes[0], -1, -1)  # where moments differ, one basis of inputs is no best for all
    outputs, inputs = data.draw(st.integers(1, sizes[1])), data.draw(st.integers(1, sizes[2]))
    shared = SharedStack(weight, moment)
    factors = shared.factors(outputs, inputs)
    whole = error_of(weight, torch.zeros_like(weight), moment)
    bound = float(shared.lost_outputs[outputs] + shared.lost_inputs[inputs])
    assert error_of(weight, factors.product_EOI, moment) <= bound + 1e-7 * whole
    assert factors.rank == (outputs, inputs)
    assert shared.lost_outputs[0] == pytest.approx(whole, rel=1e-6)
    assert shared.lost_inputs[0] == pytest.approx(whole, rel=1e-6)


@FEW
@given(SIZES, SEEDS)
def test_the_cores_are_the_best_between_their_bases(sizes: Sizes, seed: int) -> None:
    weight, moment = stack(sizes, seed)
    factors = SharedStack(weight, moment).factors(max(1, sizes[1] // 2), max(1, sizes[2] // 2))
    lost = error_of(weight, factors.product_EOI, moment)
    generator = torch.Generator().manual_seed(seed)
    for size in (1e-3, 0.1):
        core = factors.core_ESR + size * torch.randn(factors.core_ESR.shape, generator=generator).double()
        product = factors.outer_OS @ core @ factors.inner_RI
        assert lost <= error_of(weight, product, moment) * (1 + 1e-9)


@FEW
@given(SIZES, SEEDS)
def test_shared_bases_of_full_size_lose_nothing(sizes: Sizes, seed: int) -> None:
    weight, moment = stack(sizes, seed)
    product = SharedStack(weight, moment).factors(*sizes[1:]).product_EOI
    torch.testing.assert_close(product, weight, rtol=1e-5, atol=1e-5)


def test_experts_that_differ_in_their_cores_alone_share_bases_without_loss() -> None:
    weight, moment = stack((4, 8, 9), 1)
    outer, inner = weight[0, :, :3], weight[0, :4]
    weight = outer @ weight[:, :3, :4] @ inner
    lost = error_of(weight, SharedStack(weight, moment).factors(3, 4).product_EOI, moment)
    assert lost == pytest.approx(0, abs=1e-9 * error_of(weight, torch.zeros_like(weight), moment))


def test_moments_of_unseen_inputs_have_roots() -> None:
    seen = torch.zeros(2, 3, 3)
    seen[0, 0, 0] = 3.0
    moment = damped(seen, 0.1)
    torch.testing.assert_close(moment[1], 0.05 * torch.eye(3).double())
    root, inverse = roots(moment)
    torch.testing.assert_close(root @ root, moment)
    torch.testing.assert_close(root @ inverse, torch.eye(3).double().expand(2, -1, -1))
    assert WhitenedStack(torch.ones(2, 2, 3), damped(torch.zeros(2, 3, 3), 0.1)).factors(1).product_EOI.isfinite().all()
