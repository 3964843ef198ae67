"""The working of products whose factors go down by one: its lines hold, and begin with what comes."""

from __future__ import annotations

from math import factorial as factorial_of
from math import perm

import pytest

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
