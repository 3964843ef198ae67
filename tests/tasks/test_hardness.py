"""Level 3 is at least as hard as the defaults of reasoning-gym's closest task, by a measure that both have.

`calendar`, `counting`, `geometry` and `tracing` make this comparison in their own tests; physics and composed problems
have no counterpart there.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from statistics import mean
from typing import Any

import pytest
import reasoning_gym

from tests.tasks.short_forms import short_problem
from tuili.tasks import Problem

COUNT = 200
PICKED_COUNT = 800
"""Of ours more are drawn where a comparison picks a part of them."""
Item = dict[str, Any]


@cache
def ours(name: str, count: int) -> tuple[Problem, ...]:
    return tuple(short_problem(name, 3, index, level=3) for index in range(count))


@cache
def theirs(task: str) -> tuple[Item, ...]:
    data = reasoning_gym.create_dataset(task, size=COUNT, seed=3)
    return tuple(data[index] for index in range(COUNT))


def digits(text: str) -> int:
    return len(re.findall(r"\d", text))


def numbers(text: str) -> int:
    return len(re.findall(r"\d+", text))


def operators(text: str) -> int:
    """Binary operators; a minus sign in front of a number is none."""
    return len(re.findall(r"(?<=[\w)]) ?[-+*/] ?(?=[\w(-])", text))


def facts(problem: Problem) -> str:
    return "; ".join(problem.context.facts.values())


def people(problem: Problem) -> int:
    return len(set(re.findall(r"[A-Z][a-z]{2}", facts(problem))))


@dataclass(frozen=True)
class Comparison:
    """A measure of hardness for a domain of ours and a task of theirs; `only` picks what compares."""

    measure: str
    domain: str
    of_ours: Callable[[Problem], int]
    task: str
    of_theirs: Callable[[Item], int]
    only: str = ""


def by_prompt(measure: str, domain: str, of: Callable[[str], int], task: str, only: str = "") -> Comparison:
    """The same measure of both prompts."""
    return Comparison(measure, domain, lambda p: of(p.prompt), task, lambda item: of(item["question"]), only)


def premises(problem: Problem) -> int:
    return len(problem.context.facts)


SUM = r"^(?!.*(fraction|remainder))[^(*/]*[?.]$"
PRODUCT = r"^\D*\d+ \* \d+[?.]$"
EXPRESSION = r"^(?!.*fraction)(?=.*[(*/])(?:[^-+*/]*[-+*/]){3}"
COMPARISONS = (
    Comparison(
        "premises",
        "propositional",
        premises,
        "propositional_logic",
        lambda item: len(item["metadata"]["premises"]),
    ),
    Comparison(
        "premises",
        "syllogism",
        premises,
        "syllogism",
        lambda item: sum(key.startswith("premise") for key in item["metadata"]),
    ),
    Comparison("islanders", "knights", premises, "knights_knaves", lambda item: len(item["metadata"]["names"])),
    Comparison("people", "relations", people, "family_relationships", lambda item: item["metadata"]["family_size"]),
    by_prompt("terms", "arithmetic", numbers, "chain_sum", SUM),
    by_prompt("digits", "arithmetic", digits, "chain_sum", SUM),
    by_prompt("digits", "arithmetic", digits, "products", PRODUCT),
    by_prompt("operators", "arithmetic", operators, "basic_arithmetic", EXPRESSION),
    Comparison(
        "operators",
        "equations",
        lambda p: operators(facts(p)),
        "simple_equations",
        lambda item: operators(item["metadata"]["equation"]),
    ),
    by_prompt("digits", "number_theory", digits, "gcd", r"gcd|common divisor|both"),
    by_prompt("digits", "number_theory", digits, "lcm", r"lcm|common multiple"),
    by_prompt(
        "digits",
        "number_theory",
        lambda text: digits(re.split(r"[.,?]", text)[0]),
        "prime_factorization",
        r"product of rising|prime factor",
    ),
    by_prompt("digits", "arithmetic", digits, "fraction_simplification", r"^(Reduce|Simplify|Write) \d+/\d+"),
    by_prompt("numbers", "word_problems", numbers, "gsm_symbolic"),
)


@pytest.mark.parametrize("one", COMPARISONS, ids=lambda one: f"{one.domain}-{one.task}-{one.measure}")
def test_level_three_is_at_least_as_hard(one):
    drawn = ours(one.domain, PICKED_COUNT if one.only else COUNT)
    problems = [problem for problem in drawn if re.search(one.only, problem.prompt)]
    assert len(problems) >= 30
    assert mean(map(one.of_ours, problems)) >= mean(map(one.of_theirs, theirs(one.task)))
