"""Composed problems against a reader that finds every number from its own phrase."""

from __future__ import annotations

import re
from calendar import isleap
from datetime import date, datetime, timedelta
from fractions import Fraction
from itertools import combinations, pairwise

from tests.tasks.twin import Rule, problems, solve
from tuili.steps import Status, check_chain

WEEK = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
N, DATE = r"(\d+)", r"(\d{4}-\d\d-\d\d)"

PHRASES: tuple[Rule, ...] = (
    (rf"the area in m\^2 of a (?:garden|room) {N} m long and {N} m wide", lambda a, b: a * b),
    (rf"the perimeter in cm of a card of {N} cm by {N} cm", lambda a, b: a + b + a + b),
    (rf"the number of metres that a robot goes in {N} s at {N} m/s", lambda t, v: t * v),
    (rf"the voltage in V that drives {N} A through {N} ohm", lambda i, r: i * r),
    (rf"the number of ways to choose 2 of {N} \w+", lambda n: len(list(combinations(range(n), 2)))),
    (
        rf"the number of trees left of {N} rows of {N} when {N} trees are cut",
        lambda rows, each, gone: rows * each - gone,
    ),
    (
        rf"the number of days from {DATE} to {DATE}",
        lambda a, b: (date.fromisoformat(b) - date.fromisoformat(a)).days,
    ),
    (rf"{N} more than the number of days in {N}-02", lambda more, year: more + 28 + isleap(year)),
    (rf"what \w+ has after getting {N} coins more than {N}", lambda more, n: n + more),
    (rf"{N}% of {N}", lambda percent, n: Fraction(n * percent, 100)),
    (rf"the number of \w+ that {N} \w+ fill, {N} in each", lambda n, size: Fraction(n, size)),
    (rf"the number of km that a bus goes in {N} h at {N} km/h", lambda t, v: t * v),
    (rf"the seconds that a runner takes for {N} m at {N} m/s", lambda d, v: Fraction(d, v)),
    (rf"the remainder of {N} divided by {N}", lambda n, m: n % m),
    (rf"the sum of {N} and {N}", lambda a, b: a + b),
)
QUESTIONS: tuple[Rule, ...] = (
    (rf"Today is (\w+)\. Which weekday is it in {N} days\?", lambda day, n: WEEK[(WEEK.index(day) + n) % 7]),
    (
        rf"It is (\d\d:\d\d)\. What time is it in {N} minutes\?",
        lambda t, n: f"{datetime.strptime(t, '%H:%M') + timedelta(minutes=n):%H:%M}",
    ),
    (
        rf"Today is {DATE}\. What is the date in {N} days\?",
        lambda day, n: date.fromisoformat(day) + timedelta(n),
    ),
    (rf"\w+ buys {N} \w+ at {N} dollars each\. .*", lambda n, price: n * price),
    (rf"\w+ has {N} dollars and pays {N} dollars .*", lambda money, n: money - n),
    (rf"A body of {N} kg speeds up at {N} m/s\^2\. .*", lambda n, a: f"{n * a} N"),
    (rf"A lamp of {N} W burns for {N} h\. .*", lambda n, t: n * t),
    (rf"A bag holds {N} \w+ and {N} \w+ \w+\. .*", lambda n, other: Fraction(n, n + other)),
    (
        rf"\w+ thinks of a number\. {N} times the number plus {N} is {N}\. .*",
        lambda a, b, n: Fraction(n - b, a),
    ),
)


def search_root(prompt: str) -> int:
    ((a, b, c),) = (map(int, numbers) for numbers in re.findall(r"P1: (\d+)x \+ (\d+) = (\d+)", prompt))
    (x,) = [x for x in range(1000) if a * x + b == c]
    return x


def final_y(prompt: str) -> int:
    ((a, b, c),) = (map(int, n) for n in re.findall(r"y = (\d+)\nL2: y \*= (\d+)\nL3: y \+= (\d+)", prompt))
    return a * b + c


def read(prompt: str) -> str:
    """Every letter is replaced by its number as soon as its sentence has been read."""
    text = prompt.split("\n")[0]
    while match := re.match(r"Let (\w) be (.*?)\. ", text):
        letter, phrase = match.groups()
        special = {"the number x in P1": search_root, "the value of y after the program": final_y}
        value = str(special[phrase](prompt)) if phrase in special else solve(PHRASES, phrase)
        text = re.sub(rf"\b{letter}\b", value, text[match.end() :])
    return solve(QUESTIONS, text)


def test_the_answers_are_those_of_the_reader() -> None:
    for problem in problems("composed", 250):
        assert read(problem.prompt) == problem.answer, problem.prompt


def test_a_problem_needs_more_than_one_domain() -> None:
    """Every problem has at least one part before its question, and more of them from level to level."""
    for problem in problems("composed", 60):
        assert problem.prompt.count("Let ") == {1: 1, 2: 1, 3: 2, 4: 3, 5: 5}[problem.level]


def test_many_pairs_of_domains_occur() -> None:
    pairs = set()
    for problem in problems("composed", 400, levels=(2,)):
        phrase, question = re.sub(r"\d+", "#", problem.prompt.split("\n")[0]).split(". ")[:2]
        pairs.add((phrase[:24], question[-12:]))
    assert len(pairs) > 40


def test_labelled_parts_are_grounded() -> None:
    """The inference from the equation holds in its own problem and in no other."""
    rooted = [p for p in problems("composed", 300, levels=(3,)) if p.context.facts]
    assert len(rooted) > 5
    for problem, other in pairwise(rooted):
        if problem.context.facts != other.context.facts:
            (rooted_step,) = (step for step in problem.steps if step.startswith("P1 => "))
            assert check_chain([rooted_step], other.context)[0].status is not Status.VALID
