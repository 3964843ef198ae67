"""The working of products whose factors go down by one: its lines hold, and begin with what comes."""

from __future__ import annotations

from math import comb, perm
from math import factorial as factorial_of

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuili.steps import Status, check_chain
from tuili.tasks.building.factors import combinations, factorial, permutations


def valid(lines: list[str]) -> bool:
    return all(verdict.status is Status.VALID for verdict in check_chain(lines))


def test_the_first_line_of_combinations_says_how_many_factors_come() -> None:
    assert combinations(7, 3) == [
        "C(7, 3) = 7 * 6 * 5 / 3!",
        "C(7, 2) = 7 * 6 / 2 = 42 / 2 = 21",
        "C(7, 3) = 21 * 5 / 3 = 105 / 3 = 35",
    ]
    assert combinations(7, 2) == ["C(7, 2) = 7 * 6 / 2 = 42 / 2 = 21"]
    assert combinations(7, 2, fully=True)[0] == "C(7, 2) = 7 * 6 / 2"


def test_a_larger_part_is_replaced_first() -> None:
    assert combinations(7, 5) == ["7 - 5 = 2", "C(7, 5) = C(7, 2)", *combinations(7, 2), "C(7, 5) = 21"]


@given(st.integers(1, 16), st.data())
def test_combinations(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n))
    lines = combinations(n, k)
    assert valid(lines)
    assert lines[-1].startswith(f"C({n}, {k}) = ")
    assert lines[-1].endswith(f" = {comb(n, k)}")


@given(st.integers(2, 20), st.integers(0, 5))
def test_combinations_in_full_say_the_same(n: int, k: int) -> None:
    k = min(k, n)
    lines = combinations(n, k, fully=True)
    assert valid(lines)
    assert lines[-1] == combinations(n, k)[-1]


@pytest.mark.parametrize("k", [2, 3, 4])
@pytest.mark.parametrize("n", [5, 12, 31])
def test_permutations_name_their_factors(n: int, k: int) -> None:
    lines = permutations(n, k)
    assert valid(lines)
    assert lines[k - 1] == f"P({n}, {k}) = " + " * ".join(str(n - j) for j in range(k))
    assert lines[-1].endswith(f" = {perm(n, k)}")


@pytest.mark.parametrize("n", range(3, 8))
def test_factorials_name_their_factors(n: int) -> None:
    lines = factorial(n)
    assert valid(lines)
    assert lines[0].startswith(f"{n}! = {n} * ")
    assert lines[-1].endswith(f" = {factorial_of(n)}")
