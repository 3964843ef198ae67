"""Composed problems against a reader that finds every number from its own phrase."""

from __future__ import annotations

import re
from calendar import isleap
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from fractions import Fraction
from inspect import signature
from itertools import combinations, pairwise

import pytest

from tests.tasks.twin import Rule, problems, shown, solve
from tests.tasks.wordings.reading_back import ReadClause, ReadSlot
from tests.tasks.wordings.story_reading import read_story
from tuili.steps import Status, check_chain
from tuili.tasks import Language, Wording, generate
from tuili.tasks.wordings.forms import forms_of

WEEK = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
CHINESE_WEEK = ("星期一", "星期二", "星期三", "星期四", "星期五", "星期六", "星期日")
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
    (rf"the number of coins that \w+ has after adding {N} to {N}", lambda more, n: n + more),
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
    ((a, b, c),) = (map(int, numbers) for numbers in re.findall(r"(\d+)x \+ (\d+) = (\d+)", prompt))
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


LETTER, NAME = "[nkqrz]", r"(?:[A-Z][a-z]+|小\w)"
NUMBERS = (
    "acceleration added count current each factor gone length modulus money more percent price resistance rows size "
    "speed time width year"
)
TEXTS = {
    **dict.fromkeys(NUMBERS.split(), r"\d+"),
    **dict.fromkeys(("letter", "of"), LETTER),
    "other": rf"(?:{LETTER}|\d+)",
    "name": NAME,
    "start": r"(?:\d\d:\d\d|[\d-]{10}|[A-Z][a-z]+day|星期.)",
    "end": r"[\d-]{10}",
}
"""What stands in the slots of these names."""
SUMS: Mapping[str, Callable[..., object]] = {
    "area": lambda length, width: length * width,
    "perimeter": lambda length, width: length + width + length + width,
    "distance": lambda time, speed: time * speed,
    "voltage": lambda current, resistance: current * resistance,
    "teams": lambda count: len(list(combinations(range(count), 2))),
    "trees": lambda rows, each, gone: rows * each - gone,
    "days": lambda start, end: (date.fromisoformat(end) - date.fromisoformat(start)).days,
    "leap": lambda more, year: more + 28 + isleap(year),
    "more": lambda of, more: of + more,
    "part": lambda of, percent: Fraction(of * percent, 100),
    "packs": lambda of, size: Fraction(of, size),
    "room": lambda of, width: of * width,
    "drive": lambda of, time: of * time,
    "run": lambda of, speed: Fraction(of, speed),
    "rest": lambda of, modulus: of % modulus,
    "sum": lambda of, other: of + other,
    "weekday": lambda of, start: weekday_after(start, of),
    "clock": lambda of, start: f"{datetime.strptime(start, '%H:%M') + timedelta(minutes=of):%H:%M}",
    "date": lambda of, start: date.fromisoformat(start) + timedelta(of),
    "price": lambda of, price: of * price,
    "rest_money": lambda of, money: money - of,
    "force": lambda of, acceleration: f"{of * acceleration} N",
    "energy": lambda of, time: of * time,
    "draw": lambda of, other: Fraction(of, of + other),
    "solve": lambda of, factor, added: Fraction(of - added, factor),
}
"""What clauses say, by their kinds, whatever their words."""
WHOLE_PROMPT: Mapping[str, Callable[[str], int]] = {"root": search_root, "program": final_y}
"""The numbers whose lines stand elsewhere in the prompt."""
GOALS = frozenset({"weekday", "clock", "date", "price", "rest_money", "force", "energy", "draw", "solve"})


def weekday_after(start: str, days: int) -> str:
    week = WEEK if start in WEEK else CHINESE_WEEK
    return week[(week.index(start) + days) % 7]


def worked(clause: ReadClause, known: Mapping[str, int], prompt: str) -> object:
    """The value of a clause. Raises `KeyError` where it leans on a letter that is not known yet."""
    if clause.kind in WHOLE_PROMPT:
        return WHOLE_PROMPT[clause.kind](prompt)

    def value(text: ReadSlot) -> object:
        assert isinstance(text, str), clause
        if re.fullmatch(LETTER, text):
            return known[text]
        return int(text) if text.isdigit() else text

    rule = SUMS[clause.kind]
    return rule(**{name: value(clause.slots[name]) for name in signature(rule).parameters})


def letters(definitions: Sequence[ReadClause], prompt: str) -> Mapping[str, int]:
    """The values of all letters, whatever the order of their definitions: one that leans on a later one waits."""
    known: dict[str, int] = {}
    waiting = list(definitions)
    while waiting:
        clause = waiting.pop(0)
        number = clause.slots["number"]
        assert isinstance(number, ReadClause)
        letter = str(clause.slots.get("letter") or number.slots["letter"])
        try:
            known[letter] = int(shown(worked(number, known, prompt)))
        except KeyError:
            waiting.append(clause)
    return known


def answered(slots: Mapping[str, ReadSlot], prompt: str) -> str:
    """The answer from the clauses that a prompt was read back into."""
    definitions, goal = slots["definitions"], slots["goal"]
    assert isinstance(definitions, list)
    assert isinstance(goal, ReadClause)
    known = letters([clause for clause in definitions if isinstance(clause, ReadClause)], prompt)
    return shown(worked(goal, known, prompt))


@pytest.mark.parametrize("language", list(Language))
def test_the_answers_are_those_of_the_reader_in_every_wording(language: Language) -> None:
    """Each form with other problems, so that all kinds of parts occur in each style."""
    for number, form in enumerate(forms_of("composed", language, Wording.ALL)):
        for level in (1 + number % 2, 3 + number % 3):
            problem = generate("composed", 7, number, level, language=language, form=form.id)
            read = read_story(problem, TEXTS)
            assert answered(read, problem.prompt) == problem.answer, (problem.id, problem.prompt)


@pytest.mark.parametrize("language", list(Language))
def test_every_part_has_a_phrase_in_every_style(language: Language) -> None:
    kinds = {str(part): set[str]() for part in ("number", "goal")}
    for form in forms_of("composed", language, Wording.ALL):
        for style, phrases in form.phrases.items():
            if "area" in phrases:
                kinds["number"] |= SUMS.keys() - phrases.keys() - GOALS
            if "weekday" in phrases:
                kinds["goal"] |= GOALS - phrases.keys()
            assert kinds == {"number": set(), "goal": set()}, (form.place, style)


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
    """The inference from the equation holds in its own problem and in no other, unless that has the same solution."""
    rooted = [p for p in problems("composed", 300, levels=(3,)) if p.context.facts]
    assert len(rooted) > 5
    for problem, other in pairwise(rooted):
        root, others = (re.findall(r"=> x = (\d+)", "\n".join(p.steps)) for p in (problem, other))
        (rooted_step,) = (step for step in problem.steps if step.startswith("P1 => "))
        status = check_chain([rooted_step], other.context)[0].status
        assert (status is Status.VALID) == (root == others)
