"""Whole numbers and fractions against Python's own evaluation of the expression in the prompt."""

from __future__ import annotations

import ast
import operator
import re
from collections import Counter
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tasks.each_form import in_each_form
from tests.tasks.twin import Rule, problems, solve
from tests.tasks.wordings.reading_back import read_back
from tuili.steps import Status, check_chain
from tuili.tasks import Language
from tuili.tasks.content import Clause
from tuili.tasks.domains.arithmetic.expressions import Node
from tuili.tasks.domains.arithmetic.fraction_working import add_fractions, common_denominator, reduce_fraction
from tuili.tasks.domains.arithmetic.fractions import FRACTIONS_BY_LEVEL
from tuili.tasks.domains.arithmetic.whole_numbers import multiplication_steps

RATIO = r"(\d+/\d+)"
OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}


def value(text: str) -> Fraction:
    def of(node: ast.expr) -> Fraction:
        match node:
            case ast.BinOp():
                return OPERATORS[type(node.op)](of(node.left), of(node.right))
            case ast.Constant(value=int(number)):
                return Fraction(number)
        raise AssertionError(ast.dump(node))

    return of(ast.parse(text, mode="eval").body)


def divided(dividend: int, divisor: int) -> str:
    return f"{dividend // divisor} remainder {dividend % divisor}"


WHOLE_NUMBERS: tuple[Rule, ...] = (
    (r"(?:Divide|What is) (\d+) (?:divided )?by (\d+)[.?] Answer like 12 remainder 3\.", divided),
    (r"(?:Compute|Calculate|Work out|What is) ([^a-z]*)[.?]", value),
)
FRACTIONS: tuple[Rule, ...] = (
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
    for problem in problems("arithmetic", 120):
        assert problem.answer == solve((*WHOLE_NUMBERS, *FRACTIONS), problem.prompt), problem.prompt


SIGNS = {
    "plus": "+",
    "minus": "-",
    "times": "*",
    "divided by": "/",
    "乘以": "*",
    "除以": "/",
    "加": "+",
    "减": "-",
    "×": "*",
    "÷": "/",
}


def in_signs(text: str) -> str:
    """An expression with the signs of Python."""
    for word, sign in SIGNS.items():
        text = text.replace(word, sign)
    return text


@pytest.mark.parametrize("language", list(Language))
def test_the_twin_solves_all_wordings(language):
    for problem in in_each_form("arithmetic", 4, language):
        read = read_back(problem)
        match read:
            case {"expression": expression}:
                expected = str(value(in_signs(expression)))
            case {"left": left, "right": right}:
                expected = str(int(left) * int(right))
            case {"dividend": dividend, "divisor": divisor}:
                rest = {Language.EN: " remainder ", Language.ZH: "余"}[language]
                expected = divided(int(dividend), int(divisor)).replace(" remainder ", rest)
            case {"first": first, "second": second, "wanted": wanted}:
                choose = max if wanted.kind == "larger" else min
                expected = str(choose(Fraction(first), Fraction(second)))
            case {"fraction": fraction, "whole": whole}:
                expected = str(Fraction(fraction) * int(whole))
            case {"fraction": fraction} | {"decimal": fraction}:
                expected = str(Fraction(fraction))
            case {"numerator": numerator, "denominator": denominator}:
                expected = str(Fraction(int(numerator), int(denominator)))
            case _:
                raise AssertionError(problem.prompt)
        assert problem.answer == expected, problem.prompt


def test_whole_numbers_and_fractions_come_equally_often():
    asked = [problem.prompt for problem in problems("arithmetic", 400, levels=(2,))]
    count = Counter(any(re.fullmatch(pattern, prompt) for pattern, _ in FRACTIONS) for prompt in asked)
    assert 0.42 < count[True] / len(asked) < 0.58


def test_a_product():
    assert multiplication_steps(4, 7) == ["4 * 7 = 28"]
    assert multiplication_steps(34, 7) == ["30 * 7 = 210", "4 * 7 = 28", "210 + 28 = 238"]
    assert multiplication_steps(34, 20) == ["30 * 20 = 600", "4 * 20 = 80", "600 + 80 = 680"]
    assert multiplication_steps(134, 27) == ["134 * 20 = 2680", "134 * 7 = 938", "2680 + 938 = 3618"]


def test_an_expression_is_worked_out_from_the_left_and_from_the_inside():
    minus = Node(8, "-", (Node(14), Node(6)))
    node = Node(50, "+", (Node(24, "*", (Node(3), minus)), Node(26)))
    assert str(node) == "3 * (14 - 6) + 26"
    assert node.steps() == ["14 - 6 = 8", "3 * 8 = 24", "24 + 26 = 50"]


@pytest.mark.parametrize(
    ("node", "text"),
    [
        (Node(1, "-", (Node(9), Node(8, "-", (Node(10), Node(2))))), "9 - (10 - 2)"),
        (Node(-3, "-", (Node(-1, "-", (Node(9), Node(10))), Node(2))), "9 - 10 - 2"),
        (Node(2, "/", (Node(12), Node(6, "*", (Node(2), Node(3))))), "12 / (2 * 3)"),
        (Node(18, "*", (Node(6, "/", (Node(12), Node(2))), Node(3))), "12 / 2 * 3"),
    ],
)
def test_brackets_stand_where_they_are_needed(node, text):
    assert str(node) == text
    assert value(text) == node.value


@given(st.integers(1, 9999), st.integers(1, 9999))
def test_a_product_is_checked_and_ends_with_the_result(left, right):
    steps = multiplication_steps(left, right)
    assert {verdict.status for verdict in check_chain(steps)} == {Status.VALID}
    assert steps[-1].endswith(f"= {left * right}")


def test_a_sum_over_the_least_common_denominator():
    assert add_fractions(Fraction(3, 4), "-", Fraction(1, 6)) == (
        [
            *("6 mod 4 = 2", "4 mod 2 = 0", "gcd(6, 4) = 2", "4 / 2 = 2", "lcm(6, 4) = 6 * 2 = 12"),
            *("12 / 4 = 3", "3/4 = 9/12", "1/6 = 2/12"),
            *("9/12 - 2/12 = 7/12", "12 mod 7 = 5", "7 mod 5 = 2", "5 mod 2 = 1", "gcd(12, 7) = 1"),
        ],
        Fraction(7, 12),
    )
    assert add_fractions(Fraction(1, 6), "+", Fraction(1, 6)) == (
        ["1/6 + 1/6 = 2/6", "6 mod 2 = 0", "gcd(6, 2) = 2", "2 / 2 = 1", "6 / 2 = 3", "2/6 = 1/3"],
        Fraction(1, 3),
    )


def test_a_common_denominator_comes_by_euclid():
    assert common_denominator(3, 18) == ["18 mod 3 = 0", "lcm(18, 3) = 18"]
    assert common_denominator(9, 4) == ["9 mod 4 = 1", "gcd(9, 4) = 1", "lcm(9, 4) = 9 * 4 = 36"]
    assert common_denominator(12, 7)[-4:] == ["10 * 7 = 70", "2 * 7 = 14", "70 + 14 = 84", "lcm(12, 7) = 12 * 7 = 84"]


def test_a_fraction_in_lowest_terms_is_shown_to_be_so():
    assert reduce_fraction(1, 48) == []
    assert reduce_fraction(35, 48) == [
        "48 mod 35 = 13",
        "35 mod 13 = 9",
        "13 mod 9 = 4",
        "9 mod 4 = 1",
        "gcd(48, 35) = 1",
    ]
    assert reduce_fraction(16, 18) == [
        *("18 mod 16 = 2", "16 mod 2 = 0", "gcd(18, 16) = 2"),
        *("16 / 2 = 8", "18 / 2 = 9", "16/18 = 8/9"),
    ]


def test_a_comparison_ends_with_the_answer_first_and_the_sign_that_is_asked_for():
    for level in (1, 2, 3):
        (compare,) = (make for make in FRACTIONS_BY_LEVEL[level] if "compare" in make.__name__)
        for seed in range(40):
            content = compare(Random(seed), level)
            wanted = content.slots["wanted"]
            assert isinstance(wanted, Clause)
            answer, sign, other = content.steps[-1].split(" ")
            assert (answer, sign) == (content.answer, {"larger": ">", "smaller": "<"}[wanted.kind])
            assert {answer, other} == {content.slots["first"], content.slots["second"]}


@given(proper, proper)
def test_a_sum_of_fractions_is_checked(first, second):
    steps, result = add_fractions(first, "+", second)
    assert result == first + second
    assert {verdict.status for verdict in check_chain(steps)} == {Status.VALID}
