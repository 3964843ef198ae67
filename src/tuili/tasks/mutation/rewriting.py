"""A line of a chain as text: its numbers, its result, and the same line with other numbers.

A line is edited in place, not printed again, so that a changed line keeps the style of the others. `carrying` changes
the lines after it; `slips`, `mixups`, `fallacies` and `gaps` choose the errors.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from tuili.steps import WEEKDAYS, StepFault, Value, evaluate, parse_statement, render_value_like, terms
from tuili.tasks.problem import Problem

IMPLIES = " => "
EQUALS = " = "
NUMBER = re.compile(
    rf"\b(?:{'|'.join(WEEKDAYS)})\b|\b\d{{4}}-\d\d-\d\d\b|\b\d\d:\d\d(?::\d\d)?\b"
    r"|(?<![\w.^/)-])-?\d+(?:/\d+|\.\d+)?"
)
"""A number with its sign, a date, a time of day or a weekday, as written. Exponents and parts of names do not match."""

_LABEL = re.compile(r"[A-Z][0-9]{1,3}: ")
_FORMS = ((re.compile(r"\d+"), "0"), (re.compile("|".join(WEEKDAYS)), "Monday"), (re.compile("true|false"), "true"))


class MutatedChain(NamedTuple):
    """The steps and the answer of a problem after a change."""

    steps: tuple[str, ...]
    answer: str


Mutation: TypeAlias = Callable[[Problem, random.Random], Iterator[MutatedChain]]
"""Yields changed chains of a problem in random order. Each has an error of one kind, or by accident no error."""


def shuffled(rng: random.Random, size: int) -> list[int]:
    """The numbers below `size` in random order."""
    return rng.sample(range(size), size)


def result_start(line: str) -> int:
    """Where the result of a line begins: its conclusion, or the text after the last `=`. 0 for a line with neither."""
    mark = IMPLIES if IMPLIES in line else EQUALS
    at = line.rfind(mark)
    return at + len(mark) if at >= 0 else 0


def result(line: str) -> str | None:
    """The result of a calculation if it is a single value, such as `24 cm` or `true`, else None."""
    text = line[result_start(line) :]
    return text if IMPLIES not in line and result_start(line) and _literal(text) is not None else None


@lru_cache(maxsize=1024)
def numbers(text: str) -> tuple[str, ...]:
    """The numbers in a text, as written."""
    return tuple(NUMBER.findall(text))


def same_form(text: str, other: str) -> bool:
    """Whether two values differ only in digits: they have the same sign and unit, and both or neither are whole."""
    return _form(text) == _form(other)


def replaced(problem: Problem, at: int, line: str) -> MutatedChain:
    """The chain of a problem with one line replaced."""
    return MutatedChain((*problem.steps[:at], line, *problem.steps[at + 1 :]), problem.answer)


def recalculated(line: str) -> str | None:
    """A calculation with every later part set to the value of the first part.

    None if that value cannot be worked out, or cannot be written in the same form.
    """
    label = _LABEL.match(line)
    start = label.end() if label else 0
    parts = line[start:].split(EQUALS)
    value = next((worth for worth in map(_worth, parts[:-1]) if worth is not None), None)
    if value is None:
        return None
    for i, part in enumerate(parts):
        if _worth(part) in (None, value):
            continue
        term = _literal(part)
        parts[i] = render_value_like(value, term) if term is not None else _with_left_side(part, parts[i - 1])
        if _worth(parts[i]) != value or not same_form(part, parts[i]):
            return None
    # A value that a separate part reduced may need no reduction now: `10 / 14 = 5/7 = 5/7`.
    kept = [part for i, part in enumerate(parts) if i == 0 or part != parts[i - 1]]
    return line[:start] + EQUALS.join(kept) if len(kept) > 1 else None


def substituted(text: str, changes: Mapping[str, str]) -> str:
    """The text with the numbers in `changes` replaced."""
    return NUMBER.sub(lambda match: changes.get(match[0], match[0]), text)


def _form(text: str) -> str:
    for pattern, example in _FORMS:
        text = pattern.sub(example, text)
    return text


def _with_left_side(part: str, before: str) -> str:
    """A part whose left operand takes its value from the previous part: `72 / 2` after `9 * 8 / 2`."""
    left, *rest = part.rsplit(" ", 2)
    tail = part[len(left) :]
    value, term = _worth(before.removesuffix(tail)), _literal(left)
    return render_value_like(value, term) + tail if rest and value is not None and term is not None else part


def _worth(text: str) -> Value | None:
    """The value of a part. None if it contains names or has no value."""
    try:
        return evaluate(parse_statement(text))
    except StepFault:
        return None


def _literal(text: str) -> terms.Term | None:
    """The term of a text if it is a single value, else None."""
    try:
        term = parse_statement(text)
    except StepFault:
        return None
    inner = term.operand if isinstance(term, terms.Unary) and term.op == "-" else term
    return term if isinstance(inner, terms.Literal) else None
