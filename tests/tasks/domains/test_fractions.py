"""Fractions against Python's exact rationals."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from tests.tasks.domains.test_arithmetic import value
from tests.tasks.twin import Rule, problems, solve
from tuili.steps import Status, check_chain
from tuili.tasks.domains.fractions import add_fractions, reduce_fraction

RATIO = r"(\d+/\d+)"
RULES: tuple[Rule, ...] = (
    (r"(?:Compute|Calculate|Work out|What is) (.*)[.?] Give a fraction in lowest terms\.", value),
    (rf"Which is larger, {RATIO} or {RATIO}\?", lambda *pair: max(map(Fraction, pair))),
    (rf"Which is smaller, {RATIO} or {RATIO}\?", lambda *pair: min(map(Fraction, pair))),
    (rf"Find the larger of {RATIO} and {RATIO}\.", lambda *pair: max(map(Fraction, pair))),
    (rf"Find the smaller of {RATIO} and {RATIO}\.", lambda *pair: min(map(Fraction, pair))),
    (rf"(?:Reduce|Write) {RATIO} (?:to|in) lowest terms\.", Fraction),
    (rf"Simplify {RATIO}\.", Fraction),
    (rf"(?:What is|How much is|Find) {RATIO} of (\d+)[.?]", lambda part, whole: Fraction(part) * whole),
    (r"Write (0\.\d+) as a fraction in lowest terms\.", Fraction),
    (r"Which fraction in lowest terms equals (0\.\d+)\?", Fraction),
)

proper = st.fractions(min_value=Fraction(1, 60), max_value=3, max_denominator=60)


def test_the_answer_is_what_python_says():
    for problem in problems("fractions", 60):
        assert problem.answer == solve(RULES, problem.prompt), problem.prompt


def test_a_sum_over_the_least_common_denominator():
    assert add_fractions(Fraction(3, 4), "-", Fraction(1, 6)) == (
        [
            *("6 mod 4 = 2", "6 * 2 = 12", "12 mod 4 = 0", "lcm(4, 6) = 12"),
            *("12 / 4 = 3", "3/4 = 9/12", "12 / 6 = 2", "1/6 = 2/12"),
            "9/12 - 2/12 = 7/12",
        ],
        Fraction(7, 12),
    )
    assert add_fractions(Fraction(1, 6), "+", Fraction(1, 6)) == (
        ["1/6 + 1/6 = 2/6", "2 / 2 = 1", "6 / 2 = 3", "2/6 = 1/3"],
        Fraction(1, 3),
    )


def test_a_fraction_in_lowest_terms_needs_no_step():
    assert reduce_fraction(35, 48) == []
    assert reduce_fraction(16, 18) == ["16 / 2 = 8", "18 / 2 = 9", "16/18 = 8/9"]


@given(proper, proper)
def test_a_sum_is_checked(first, second):
    steps, result = add_fractions(first, "+", second)
    assert result == first + second
    assert {verdict.status for verdict in check_chain(steps)} == {Status.VALID}
