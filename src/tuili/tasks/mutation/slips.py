"""Slips in a result: a wrong digit, a result that is one off, a wrong sign; and misread numbers of the prompt.

Each mutation yields changed chains of a problem in random order. `mutations` decides whether a changed chain is wrong.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from datetime import date, timedelta

from tuili.steps import WEEKDAYS
from tuili.tasks.mutation.carrying import carried, is_new, misread
from tuili.tasks.mutation.rewriting import NUMBER, MutatedChain, numbers, replaced, result_start, same_form, shuffled
from tuili.tasks.problem import Problem

_MISWRITTEN = re.compile(r"(?<![\d:.-])0\d|(?<!\d)-0|/0(?!\d)")
"""A leading zero, a negative zero or a denominator of zero: forms that no slip produces."""
_LAST_WHOLE = re.compile(r"\d+(?=/|$)")


def other_digit(number: str, rng: random.Random) -> list[str]:
    """The number with one digit replaced or two neighbouring digits swapped, in random order.

    The last digit is never replaced by the next larger or smaller one; `one_off` does that.
    """
    digits = [i for i, letter in enumerate(number) if letter.isdigit()]
    variants = [
        number[:i] + digit + number[i + 1 :]
        for i in digits
        for digit in "0123456789"
        if digit != number[i] and (i != digits[-1] or abs(int(digit) - int(number[i])) > 1)
    ]
    variants += [
        number[:i] + number[i + 1] + number[i] + number[i + 2 :]
        for i in digits
        if i + 1 in digits and number[i] != number[i + 1]
    ]
    variants = [text for text in variants if not _MISWRITTEN.search(text)]
    return rng.sample(variants, len(variants))


def one_off(number: str, rng: random.Random) -> list[str]:
    """The neighbours of a number, weekday, date or time of day, in random order."""
    ways = rng.sample((1, -1), 2)
    if number in WEEKDAYS:
        return [WEEKDAYS[(WEEKDAYS.index(number) + way) % 7] for way in ways]
    if number.count("-") == 2:
        try:
            return [(date.fromisoformat(number) + timedelta(way)).isoformat() for way in ways]
        except (ValueError, OverflowError):  # a date that does not exist, or the calendar's first or last day
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


def wrong_digit(problem: Problem, rng: random.Random) -> Iterator[MutatedChain]:
    """A digit of a result is wrong. The later steps use the right number."""
    for at, line, _ in _edited_results(problem, rng, other_digit):
        yield replaced(problem, at, line)


def carried_error(problem: Problem, rng: random.Random) -> Iterator[MutatedChain]:
    """A digit of a result is wrong, and the later steps and the answer use the wrong number."""
    for at, line, number in _edited_results(problem, rng, other_digit):
        chain = carried(problem, at, line) if is_new(number, problem, at) else None
        if chain is not None and chain != replaced(problem, at, line):
            yield chain


def off_by_one(problem: Problem, rng: random.Random) -> Iterator[MutatedChain]:
    """A result is one too large or too small. In half of the chains the later steps continue from it."""
    for at, line, number in _edited_results(problem, rng, one_off):
        goes_on = rng.random() < 0.5 and is_new(number, problem, at)
        yield (carried(problem, at, line) if goes_on else None) or replaced(problem, at, line)


def wrong_sign(problem: Problem, rng: random.Random) -> Iterator[MutatedChain]:
    """The sign of a result is wrong, in a line that has a minus sign."""
    for at, line, _ in _edited_results(problem, rng, _other_sign):
        if "-" in problem.steps[at].replace("->", ""):
            yield replaced(problem, at, line)


def copied_number(problem: Problem, rng: random.Random) -> Iterator[MutatedChain]:
    """A number in the prompt is misread or confused with another one there, and the chain uses the wrong number."""
    given = numbers(problem.prompt)
    used = {number for step in problem.steps for number in numbers(step)}
    # A number that occurs twice would change in both places, but a solver misreads only one of them.
    readable = [number for number in dict.fromkeys(given) if given.count(number) == 1 and number in used]
    for number in rng.sample(readable, len(readable)):
        mistaken = [other for other in given if other != number and same_form(number, other)]
        for other in (*mistaken[: rng.randint(0, 1)], *other_digit(number, rng)[:3]):
            chain = misread(problem, number, other)
            if chain is not None:
                yield chain


Edit = Callable[[str, random.Random], list[str]]


def _edited_results(problem: Problem, rng: random.Random, edit: Edit) -> Iterator[tuple[int, str, str]]:
    """Yield steps with one edited number in the result: the index, the new line and the number before the edit."""
    for at in shuffled(rng, len(problem.steps)):
        step = problem.steps[at]
        start = result_start(step)
        matches = [match for match in NUMBER.finditer(step) if start and match.start() >= start]
        for match in rng.sample(matches, len(matches)):
            for other in edit(match[0], rng)[:2]:
                yield at, step[: match.start()] + other + step[match.end() :], match[0]
