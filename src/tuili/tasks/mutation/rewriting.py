"""A line of a chain as text: the numbers in it, its result, and how it reads with other ones.

Lines are changed in place and not printed anew, so that a changed line is written like the others. What
becomes of the lines after it is left to `carrying`, which changes are errors to `slips` and its neighbours.
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
"""A number as written, with its sign: also a date, a time of day, a weekday; no exponent and no part of a name."""

_LABEL = re.compile(r"[A-Z][0-9]{1,3}: ")
_FORMS = ((re.compile(r"\d+"), "0"), (re.compile("|".join(WEEKDAYS)), "Monday"), (re.compile("true|false"), "true"))


class Chain(NamedTuple):
    """Steps and the answer they lead to."""

    steps: tuple[str, ...]
    answer: str


Kind: TypeAlias = Callable[[Problem, random.Random], Iterator[Chain]]
"""Changed chains of a problem, each with one error of a kind (or none, by accident), in random order."""


def shuffled(rng: random.Random, size: int) -> list[int]:
    """The numbers below `size` in random order."""
    return rng.sample(range(size), size)


def result_start(line: str) -> int:
    """Where the result of a line begins: its conclusion, or what stands behind the last `=`; 0 if it has none."""
    mark = IMPLIES if IMPLIES in line else EQUALS
    at = line.rfind(mark)
    return at + len(mark) if at >= 0 else 0


def result(line: str) -> str | None:
    """The result of a calculation if it is a single value: `24 cm`, `true`."""
    text = line[result_start(line) :]
    return text if IMPLIES not in line and result_start(line) and _literal(text) is not None else None


@lru_cache(maxsize=1024)
def numbers(text: str) -> tuple[str, ...]:
    """The numbers in a text, as they are written there."""
    return tuple(NUMBER.findall(text))


def same_form(text: str, other: str) -> bool:
    """Whether two values are written alike but for their digits: with the same sign and unit, both whole."""
    return _form(text) == _form(other)


def replaced(problem: Problem, at: int, line: str) -> Chain:
    """The chain of a problem with another line in one place and all else as it was."""
    return Chain((*problem.steps[:at], line, *problem.steps[at + 1 :]), problem.answer)


def recalculated(line: str) -> str | None:
    """A calculation with the result that its first part has; None if it cannot be worked out in the same form."""
    label = _LABEL.match(line)
    start = label.end() if label else 0
    parts = line[start:].split(EQUALS)
    value = next((found for found in map(_worth, parts[:-1]) if found is not None), None)
    if value is None:
        return None
    for i, part in enumerate(parts):
        if _worth(part) in (None, value):
            continue
        term = _literal(part)
        parts[i] = render_value_like(value, term) if term is not None else _with_left_side(part, parts[i - 1])
        if _worth(parts[i]) != value or not same_form(part, parts[i]):
            return None
    # What was reduced in a part of its own may need no reducing now: `10 / 14 = 5/7 = 5/7`.
    kept = [part for i, part in enumerate(parts) if i == 0 or part != parts[i - 1]]
    return line[:start] + EQUALS.join(kept) if len(kept) > 1 else None


def substituted(text: str, changes: Mapping[str, str]) -> str:
    """A text with other numbers in the place of some."""
    return NUMBER.sub(lambda match: changes.get(match[0], match[0]), text)


def _form(text: str) -> str:
    for pattern, example in _FORMS:
        text = pattern.sub(example, text)
    return text


def _with_left_side(part: str, before: str) -> str:
    """`72 / 2` after `9 * 8 / 2`: the part with the value that its left side has in the part before it."""
    left, *rest = part.rsplit(" ", 2)
    tail = part[len(left) :]
    value, term = _worth(before.removesuffix(tail)), _literal(left)
    return render_value_like(value, term) + tail if rest and value is not None and term is not None else part


def _worth(text: str) -> Value | None:
    """What a part is worth by itself; None with names in it, or if it has no value."""
    try:
        return evaluate(parse_statement(text))
    except StepFault:
        return None


def _literal(text: str) -> terms.Term | None:
    """The term of a text that is a single value."""
    try:
        term = parse_statement(text)
    except StepFault:
        return None
    inner = term.operand if isinstance(term, terms.Unary) and term.op == "-" else term
    return term if isinstance(inner, terms.Literal) else None
