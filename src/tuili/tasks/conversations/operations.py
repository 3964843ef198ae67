"""What a follow-up does with the previous answer, a whole number: the working, and operands that fit.

`texts` has the wordings; `follow_ups` makes an operation part of a conversation.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

from tuili.tasks.building.working import exact_division, percentage, residue, worked_product

LARGEST = 100_000
"""The largest number that a follow-up may start from or result in."""


class Working(NamedTuple):
    """The steps and the answer of a calculation. `words`: whether the answer is yes or no."""

    steps: tuple[str, ...]
    answer: str
    words: bool = False


Operation: TypeAlias = Callable[[int, int], Working | None]
"""Gives the working for the previous answer and the operand; None if the two do not fit."""


def _result(*lines: str) -> Working:
    """The working whose answer is the last number of its last line."""
    return Working(lines, lines[-1].rpartition(" ")[2])


def _plus(a: int, n: int) -> Working | None:
    return _result(f"{a} + {n} = {a + n}")


def _minus(a: int, n: int) -> Working | None:
    return _result(f"{a} - {n} = {a - n}") if a >= n else None


def _subtract_from(a: int, n: int) -> Working | None:
    return _result(f"{n} - {a} = {n - a}") if n >= a >= 0 else None


def _times(a: int, n: int) -> Working | None:
    return _result(*worked_product(a, n)) if a > 1 else None


def _double(a: int, _: int) -> Working | None:
    return _result(f"{a} * 2 = {a} + {a} = {2 * a}") if a > 0 else None


def _divide(a: int, n: int) -> Working | None:
    return _result(*exact_division(a, n), f"{a} / {n} = {a // n}") if a > 0 and a % n == 0 else None


def _half(a: int, _: int) -> Working | None:
    return _divide(a, 2)


def _percent(a: int, n: int) -> Working | None:
    whole = a % {50: 2, 25: 4, 20: 5}.get(n, 10) == 0 and (n == 25 or n % 10 == 0)
    return _result(*percentage(n, a)) if a > 0 and whole and n < 100 else None


def _remainder(a: int, n: int) -> Working | None:
    return _result(*residue(a, n)) if a >= n else None


def _even(a: int, _: int) -> Working | None:
    return Working(tuple(residue(a, 2)), "no" if a % 2 else "yes", words=True) if a > 1 else None


def _more_than(a: int, n: int) -> Working | None:
    return Working((f"{a} {'>' if a > n else '<'} {n}",), "yes" if a > n else "no", words=True) if a != n >= 0 else None


OPERATIONS: Mapping[str, Operation] = {
    "plus": _plus,
    "minus": _minus,
    "subtract_from": _subtract_from,
    "times": _times,
    "divide": _divide,
    "double": _double,
    "half": _half,
    "percent": _percent,
    "remainder": _remainder,
    "even": _even,
    "more_than": _more_than,
}
WITHOUT_NUMBER = frozenset({"double", "half", "even"})
_TRIES = 8


def draw_number(operation: str, a: int, rng: random.Random) -> int:
    """A possible operand; the operation decides whether it fits."""
    match operation:
        case "times" | "divide" | "remainder":
            return rng.randint(2, 9)
        case "percent":
            return rng.choice((10, 20, 25, 30, 40, 50, 60, 70, 75, 80, 90))
        case "subtract_from":
            return rng.randint(a + 1, a + 99) if a >= 0 else 1
        case "more_than":
            return a + rng.randint(-30, 30)
    return rng.randint(2, max(9, min(99, a)))


def work_out(operation: str, a: int, n: int) -> Working | None:
    """The working of an operation; None if the numbers do not fit it or become too large."""
    if abs(a) > LARGEST:
        return None
    working = OPERATIONS[operation](a, n)
    if working is None or (not working.words and abs(int(working.answer)) > LARGEST):
        return None
    return working


def draw_operation(a: int, rng: random.Random, numeric: bool = False) -> tuple[str, int, Working] | None:
    """An operation with its operand and its working; `numeric` demands an answer that is a number.

    None if no operation fits.
    """
    for operation in rng.sample(tuple(OPERATIONS), len(OPERATIONS)):
        for _ in range(_TRIES):
            n = draw_number(operation, a, rng)
            working = work_out(operation, a, n)
            if working and not (numeric and working.words):
                return operation, n, working
    return None
