"""The chosen ranks keep within the budget, and lose least where that can be proved."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tuili.compress.factorising.allocation import convex_hull, dynamic, least_parameters, uniform
from tuili.compress.factorising.options import Bases, Decomposed, Option
from tuili.compress.factorising.shared import SharedFactors
from tuili.compress.factorising.whitened import error_of
from tuili.store import factor_parameters

Matrices = list[list[Option]]
FEW = settings(max_examples=60, deadline=None)


@st.composite
def matrices(draw: st.DrawFn, even: bool = False) -> Matrices:
    """Options whose errors fall; even: by steps of one parameter, each of less gain than the one before."""
    made = []
    for _ in range(draw(st.integers(1, 3))):
        gains = draw(st.lists(st.floats(0.01, 10), min_size=1, max_size=4))
        steps = (
            [1] * len(gains) if even else draw(st.lists(st.integers(1, 5), min_size=len(gains), max_size=len(gains)))
        )
        gains = sorted(gains, reverse=True) if even else gains
        errors = [sum(gains[place:]) for place in range(len(gains))] + [0.0]
        sizes = [1 + sum(steps[:place]) for place in range(len(errors))]
        made.append([Option(size, error, size) for size, error in zip(sizes, errors, strict=True)])
    return made


def taken(options: list[Option]) -> int:
    return sum(option.parameters for option in options)


def loss(options: list[Option], weights: list[float]) -> float:
    return sum(weight * option.error for weight, option in zip(weights, options, strict=True))


@FEW
@given(matrices(), st.integers(0, 40), st.floats(0.1, 10))
def test_the_budget_is_kept(given: Matrices, more: int, weight: float) -> None:
    budget = least_parameters(given) + more
    weights = [weight**number for number in range(len(given))]
    assert taken(dynamic(given, weights, budget)) <= budget
    assert taken(uniform(given, budget)) <= budget
    if budget >= sum(options[-1].parameters for options in given):
        assert loss(dynamic(given, weights, budget), weights) == loss(uniform(given, budget), weights) == 0


@FEW
@given(matrices(even=True), st.integers(0, 10), st.floats(0.1, 10))
def test_where_returns_diminish_nothing_loses_less(given: Matrices, more: int, weight: float) -> None:
    budget = least_parameters(given) + more
    weights = [weight**number for number in range(len(given))]
    best = min(loss(list(each), weights) for each in product(*given) if taken(list(each)) <= budget)
    assert loss(dynamic(given, weights, budget), weights) == pytest.approx(best)


def test_what_matters_more_gets_more() -> None:
    options = [Option(size, 10.0 - size, size) for size in range(1, 11)]
    first, second = dynamic([options, options], [1.0, 3.0], 12)
    assert (first.rank, second.rank) == (2, 10)
    assert [option.rank for option in uniform([options, options], 12)] == [6, 6]


def test_the_hull_leaves_out_what_pays_less_than_what_follows() -> None:
    options = [Option(1, 10.0, 1), Option(2, 9.5, 2), Option(3, 4.0, 3), Option(4, 4.0, 4), Option(5, 0.0, None)]
    assert [option.rank for option in convex_hull(options)] == [1, 3, None]


def stack(count: int, alike: bool, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(count, 12, 20, generator=generator).double()
    if alike:
        weight = weight[0] + 0.1 * weight
    seen = torch.randn(count, 50, 20, generator=generator).double()
    return weight, seen.mT @ seen / 50


@pytest.mark.parametrize("alike", [False, True])
@pytest.mark.parametrize("bases", ["auto", "separate", "shared"])
def test_options_say_what_they_take_and_lose(bases: Bases, alike: bool) -> None:
    weight, moment = stack(4, alike)
    decomposed = Decomposed(weight, moment, weight.shape, 2, bases)
    whole = decomposed.options[-1]
    assert (whole.parameters, whole.error, whole.rank) == (4 * 12 * 20, 0.0, None)
    kinds = set()
    for option in decomposed.options[:-1]:
        assert option.rank is not None
        factors = decomposed.factors(option.rank)
        assert sum(tensor.numel() for tensor in factors.tensors.values()) == option.parameters < whole.parameters
        assert option.parameters == factor_parameters(weight.shape, option.rank)
        assert option.error == pytest.approx(error_of(weight, factors.product_EOI, moment))
        assert factors.rank == option.rank
        sides = option.rank if isinstance(option.rank, tuple) else (option.rank,)
        assert all(side % 2 == 0 for side in sides)
        kinds.add(isinstance(factors, SharedFactors))
    assert kinds == {"auto": {False, True}, "separate": {False}, "shared": {True}}[bases]


def test_shared_bases_are_taken_where_experts_are_alike_alone() -> None:
    for alike in (False, True):
        weight, moment = stack(4, alike)
        options = Decomposed(weight, moment, weight.shape, 2, "auto").options
        (taken_option,) = dynamic([options], [1.0], 4 * 12 * 20 // 3)
        assert isinstance(taken_option.rank, tuple) == alike


def test_a_matrix_that_is_not_of_experts_has_no_shared_bases() -> None:
    weight, moment = stack(1, False)
    options = Decomposed(weight, moment, (12, 20), 2, "shared").options
    assert [option.rank for option in options] == [2, 4, 6, None]


def test_of_equal_matrices_those_in_the_middle_have_the_least_where_not_all_can_have_more() -> None:
    ladder = [Option(1, 2.0, 1), Option(2, 1.0, 2), Option(3, 0.0, None)]
    assert [option.parameters for option in uniform([ladder] * 5, 8)] == [2, 2, 1, 1, 2]
    assert [option.parameters for option in uniform([ladder] * 5, 9)] == [2, 2, 1, 2, 2]
    assert [option.parameters for option in uniform([ladder] * 5, 10)] == [2] * 5


def test_no_shared_bases_are_found_where_none_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuili.compress.factorising.shared.SharedStack.factors", lambda *_: pytest.fail("found"))
    made = Decomposed(torch.randn(3, 12, 10), torch.eye(10).expand(3, -1, -1), (3, 12, 10), 2, "separate")
    assert {type(option.rank) for option in made.options} == {int, type(None)}
