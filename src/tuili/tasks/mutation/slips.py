"""Slips in a result: a wrong digit, one too many, a lost sign; and numbers misread in the prompt.

Each function yields changed chains of a problem in random order; that a changed chain is wrong is for
`mutations` to find out.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from datetime import date, timedelta

from tuili.steps import WEEKDAYS
from tuili.tasks.mutation.carrying import carried, is_new, misread
from tuili.tasks.mutation.rewriting import NUMBER, Chain, numbers, replaced, result_start, same_form, shuffled
from tuili.tasks.problem import Problem

_MISWRITTEN = re.compile(r"(?<![\d:.-])0\d|(?<!\d)-0|/0(?!\d)")
"""A zero in front, a negative zero, a denominator of zero: nobody slips like that."""
_LAST_WHOLE = re.compile(r"\d+(?=/|$)")


def other_digit(number: str, rng: random.Random) -> list[str]:
    """The number with one digit replaced or two neighbours exchanged, in random order; none is one off."""
    digits = [i for i, letter in enumerate(number) if letter.isdigit()]
    found = [
        number[:i] + digit + number[i + 1 :]
        for i in digits
        for digit in "0123456789"
        if digit != number[i] and (i != digits[-1] or abs(int(digit) - int(number[i])) > 1)
    ]
    found += [
        number[:i] + number[i + 1] + number[i] + number[i + 2 :]
        for i in digits
        if i + 1 in digits and number[i] != number[i + 1]
    ]
    found = [text for text in found if not _MISWRITTEN.search(text)]
    return rng.sample(found, len(found))


def one_off(number: str, rng: random.Random) -> list[str]:
    """The neighbours of a number, weekday, date or time of day, in random order."""
    ways = rng.sample((1, -1), 2)
    if number in WEEKDAYS:
        return [WEEKDAYS[(WEEKDAYS.index(number) + way) % 7] for way in ways]
    if number.count("-") == 2:
        try:
            return [(date.fromisoformat(number) + timedelta(way)).isoformat() for way in ways]
        except (ValueError, OverflowError):  # a date that the calendar does not have, or its first or last day
            return []
    last = _LAST_WHOLE.search(number)
    if last is None or "." in number:
        return []
    values = [int(last[0]) + way for way in ways]
    width = len(last[0]) if ":" in number else 1
    return [f"{number[: last.start()]}{value:0{width}}{number[last.end() :]}" for value in values if value > 0]


def _other_sign(number: str, _: random.Random) -> list[str]:
    if not number.lstrip("-").isdigit() or not int(number):
        return []
    return [number[1:] if number.startswith("-") else f"-{number}"]


def wrong_digit(problem: Problem, rng: random.Random) -> Iterator[Chain]:
    """A digit of a result is wrong; the later steps have the right number."""
    for at, line, _ in _edited_results(problem, rng, other_digit):
        yield replaced(problem, at, line)


def carried_error(problem: Problem, rng: random.Random) -> Iterator[Chain]:
    """A digit of a result is wrong, and the later steps and the answer go on from the wrong number."""
    for at, line, number in _edited_results(problem, rng, other_digit):
        chain = carried(problem, at, line) if is_new(number, problem, at) else None
        if chain is not None and chain != replaced(problem, at, line):
            yield chain


def off_by_one(problem: Problem, rng: random.Random) -> Iterator[Chain]:
    """A result is one too large or too small; half of the time the later steps go on from it."""
    for at, line, number in _edited_results(problem, rng, one_off):
        goes_on = rng.random() < 0.5 and is_new(number, problem, at)
        yield (carried(problem, at, line) if goes_on else None) or replaced(problem, at, line)


def wrong_sign(problem: Problem, rng: random.Random) -> Iterator[Chain]:
    """A result has lost its minus, or has one where the line has a minus elsewhere."""
    for at, line, _ in _edited_results(problem, rng, _other_sign):
        if "-" in problem.steps[at].replace("->", ""):
            yield replaced(problem, at, line)


def copied_number(problem: Problem, rng: random.Random) -> Iterator[Chain]:
    """A number of the prompt is misread or taken for another one, and the whole chain goes on from that."""
    given = numbers(problem.prompt)
    used = {number for step in problem.steps for number in numbers(step)}
    # A number that stands there twice would change in both places, of which the solver misreads one.
    readable = [number for number in dict.fromkeys(given) if given.count(number) == 1 and number in used]
    for number in rng.sample(readable, len(readable)):
        mistaken = [other for other in given if other != number and same_form(number, other)]
        for other in (*mistaken[: rng.randint(0, 1)], *other_digit(number, rng)[:3]):
            chain = misread(problem, number, other)
            if chain is not None:
                yield chain


Edit = Callable[[str, random.Random], list[str]]


def _edited_results(problem: Problem, rng: random.Random, edit: Edit) -> Iterator[tuple[int, str, str]]:
    """Each step with one number of its result edited: its place, the new line and the number as it was."""
    for at in shuffled(rng, len(problem.steps)):
        step = problem.steps[at]
        start = result_start(step)
        found = [match for match in NUMBER.finditer(step) if start and match.start() >= start]
        for match in rng.sample(found, len(found)):
            for other in edit(match[0], rng)[:2]:
                yield at, step[: match.start()] + other + step[match.end() :], match[0]
