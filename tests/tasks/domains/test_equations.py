"""Equations against substitution: the answer is put back into every equation of the prompt."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
import sympy

from tests.tasks.domains.test_arithmetic import value
from tests.tasks.each_form import in_each_form
from tests.tasks.twin import problems
from tests.tasks.wordings.reading_back import read_back
from tuili.steps import Status, check
from tuili.tasks import Language
from tuili.tasks.domains.equations import LinearPart, signed_sum, solve_linear


def difference(equation: str, **values: Fraction) -> Fraction:
    """Left minus right with numbers for the unknowns."""
    for name, number in values.items():
        equation = re.sub(rf"(\d){name}\b", rf"\1 * {name}", equation)
        equation = equation.replace(f"{name}^2", f"{name} * {name}")
        equation = re.sub(rf"\b{name}\b", f"(0 + {number.numerator} / {number.denominator})", equation)
    left, right = (re.sub(r"(?<![\d)] )-(?=[\d(])", "0 - ", side.strip()) for side in equation.split("="))
    return value(left) - value(right)


def test_one_unknown_satisfies_its_equation():
    count = 0
    for problem in problems("equations", 40):
        (equation, *more) = problem.context.facts.values()
        unknown = re.search(r"[a-z]", equation)[0]
        if not more and "^2" not in equation:
            count += 1
            assert difference(equation, **{unknown: Fraction(problem.answer)}) == 0, problem.prompt
    assert count > 80


def test_roots_satisfy_their_equation_and_the_right_one_is_given():
    count = 0
    for problem in problems("equations", 60, levels=(4, 5)):
        (equation, *_) = problem.context.facts.values()
        if "^2" in equation:
            count += 1
            unknown = re.search(r"[a-z]", equation)[0]
            roots = [Fraction(text) for text in re.findall(r"= (\S+)", problem.steps[-1].split(" => ")[1])]
            assert [difference(equation, **{unknown: root}) for root in roots] == [0, 0]
            assert Fraction(problem.answer) == (max(roots) if "larger" in problem.prompt else min(roots))
    assert count > 20


def test_the_answer_of_a_system_follows_from_all_equations_at_once():
    count = 0
    for problem in problems("equations", 40, levels=(2, 3, 4, 5)):
        if len(problem.context.facts) > 1:
            count += 1
            labels = ", ".join(problem.context.facts)
            asked = re.search(r"(?:Find|What is) (.*)[.?]", problem.prompt)[1]
            assert check(f"{labels} => {asked} = {problem.answer}", problem.context).status is Status.VALID
    assert count > 30


def solutions(equations: list[str]) -> list[dict[str, str]]:
    """Sympy's solutions, each name with its value."""
    sides = [re.sub(r"(\d)([a-z])", r"\1*\2", equation).replace("^", "**").split("=") for equation in equations]
    found = sympy.solve([sympy.sympify(f"({left}) - ({right})", rational=True) for left, right in sides], dict=True)
    return [{str(name): str(value) for name, value in one.items()} for one in found]


@pytest.mark.parametrize("language", list(Language))
def test_the_twin_solves_all_wordings(language):
    for problem in in_each_form("equations", 5, language):
        read = read_back(problem)
        equations = [one if isinstance(one, str) else one.slots["formal"] for one in read["equations"]]
        found = solutions(equations)
        wanted = read.get("wanted", "")
        if isinstance(wanted, str):
            (one,) = found
            names = re.findall("[a-z]", wanted) or [*one]
            value = sum(Fraction(one[name]) for name in names)
        else:
            roots = [Fraction(value) for one in found for value in one.values()]
            value = max(roots) if wanted.kind == "larger" else min(roots)
        assert Fraction(problem.answer) == value, problem.prompt


@pytest.mark.parametrize(
    ("terms", "text"),
    [
        ([(3, "x"), (-5, "")], "3x - 5"),
        ([(-1, "x"), (1, "y")], "-x + y"),
        ([(0, "x"), (4, "")], "4"),
        ([(2, "x^2"), (-1, "x"), (-1, "")], "2x^2 - x - 1"),
        ([(0, "x")], "0"),
    ],
)
def test_sums_are_printed_as_one_writes_them(terms, text):
    assert signed_sum(terms) == text


def test_a_linear_equation_step_by_step():
    steps, solution = solve_linear(
        [LinearPart(1, -2, 3), LinearPart(0, 4)], [LinearPart(1, 5, 2), LinearPart(0, -1)], "x"
    )
    assert steps == [
        "3 * -2 = -6",
        "2 * 5 = 10",
        "P1 => 3x - 6 + 4 = 2x + 10 - 1",
        "-6 + 4 = -2",
        "10 - 1 = 9",
        "3x - 6 + 4 = 2x + 10 - 1 => 3x - 2 = 2x + 9",
        "3 - 2 = 1",
        "3x - 2 = 2x + 9 => x - 2 = 9",
        "9 + 2 = 11",
        "x - 2 = 9 => x = 11",
    ]
    assert solution == 11


def test_a_bracket_alone_is_divided_by_its_factor():
    steps, solution = solve_linear([LinearPart(1, -1, 8)], [LinearPart(0, 32)], "k")
    assert (steps, solution) == (["32 / 8 = 4", "P1 => k - 1 = 4", "4 + 1 = 5", "k - 1 = 4 => k = 5"], 5)
    steps, solution = solve_linear([LinearPart(1, -1, 8)], [LinearPart(0, 36)], "k")
    assert (steps[:2], solution) == (["P1 => 8k - 8 = 36", "36 + 8 = 44"], Fraction(11, 2))


@pytest.mark.parametrize("level", [1, 2])
def test_the_last_division_is_in_the_times_table(level):
    for problem in problems("equations", 200, levels=(level,)):
        if match := re.fullmatch(r"(-?\d+)\w = \S+ => \w = (\S+)", problem.steps[-1]):
            assert abs(int(match[1])) <= 9, problem.steps
            assert abs(int(match[2])) <= 10, problem.steps


def test_long_sides_get_a_running_sum():
    steps, _ = solve_linear([LinearPart(2, 1, 2), LinearPart(1, 3, 4), LinearPart(0, 5)], [LinearPart(0, 43)], "n")
    assert steps[2:5] == ["P1 => 4n + 2 + 4n + 12 + 5 = 43", "4 + 4 = 8", "2 + 12 + 5 = 14 + 5 = 19"]
