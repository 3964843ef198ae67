"""Steps without written working: partial products go, everything that says something of the problem stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuili.steps import Status, check_chain
from tuili.tasks import Split, domain_names, generate
from tuili.tasks.building.brief import without_working
from tuili.tasks.building.working import exact_division, grid_multiplication, long_multiplication, residue


@pytest.mark.parametrize(
    ("steps", "brief"),
    [
        (("20 * 5 = 100", "6 * 5 = 30", "100 + 30 = 130", "Nia = 26 * 5 = 130"), ("Nia = 26 * 5 = 130",)),
        (("20 * 8 = 160", "9 * 8 = 72", "160 + 72 = 232", "A = 29 m * 8 m = 232 m^2"), ("A = 29 m * 8 m = 232 m^2",)),
        (("40 * 6 = 240", "5 * 6 = 30", "240 + 30 = 270", "d = 45 m/s * 6 s = 270 m"), ("d = 45 m/s * 6 s = 270 m",)),
        (("43 = 5 * 8 + 3", "35 = 5 * 7 + 0", "435 / 5 = 87"), ("435 / 5 = 87",)),
        (("16 + 55 = 71", "71 - 10 = 61"), ("16 + 55 = 71", "71 - 10 = 61")),
        (("20 * 5 = 100", "26 * 5 = 130"), ("20 * 5 = 100", "26 * 5 = 130")),
        (("80 * 5 = 400", "7 * 5 = 35", "400 + 35 = 435", "86 * 5 = 430"),) * 2,
        ((), ()),
    ],
)  # fmt: skip
def test_working_goes_and_nothing_else(steps: tuple[str, ...], brief: tuple[str, ...]) -> None:
    assert without_working(steps) == brief


NUMBERS = st.integers(2, 9999)


@given(NUMBERS, NUMBERS)
def test_the_working_of_every_calculation_is_found(a: int, b: int) -> None:
    product = f"x = {a} * {b} = {a * b}"
    for working in (grid_multiplication(a, b), long_multiplication(a, b), long_multiplication(b, a)):
        assert without_working(["1 + 1 = 2", *working, product]) == ("1 + 1 = 2", product)
    quotient = f"{a * b} / {b} = {a}"
    assert without_working([*exact_division(a * b, b), quotient]) == (quotient,)
    assert without_working(residue(a, 7)) == (f"{a} mod 7 = {a % 7}",)


@pytest.mark.parametrize("domain", ["word_problems", "arithmetic", "counting", "geometry"])
def test_what_is_left_of_a_problem_still_checks(domain: str) -> None:
    assert domain in domain_names()
    shorter = 0
    for number in range(40):
        problem = generate(domain, Split.TRAIN.seed(1), number, 3)
        brief = without_working(problem.steps)
        shorter += len(brief) < len(problem.steps)
        assert all(one.status is Status.VALID for one in check_chain(brief, problem.context))
    assert shorter > 5
