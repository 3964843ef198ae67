"""The slow twin of a domain: patterns that read a prompt back, each with its own way to the answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

from tests.tasks.short_forms import short_problem
from tuili.tasks import LEVELS, Problem

Rule = tuple[str, Callable[..., object]]


def problems(domain: str, count: int, levels: Sequence[int] = LEVELS) -> Iterator[Problem]:
    """The first problems of seed 7, so many of each level, in short forms."""
    return (short_problem(domain, 7, index, level) for level in levels for index in range(count))


def solve(rules: Sequence[Rule], prompt: str) -> str:
    """The answer by the one rule that matches the whole prompt; groups that are numbers come as int."""
    matching = [(match, rule) for pattern, rule in rules if (match := re.fullmatch(pattern, prompt, re.DOTALL))]
    assert len(matching) == 1, f"{len(matching)} rules for {prompt!r}"
    match, rule = matching[0]
    groups = [int(text) if text and re.fullmatch(r"\d+", text) else text for text in match.groups()]
    return shown(rule(*groups))


def shown(value: object) -> str:
    """A result as an answer is printed: a whole number, `3/4`, or text as it is."""
    if isinstance(value, float):
        assert value == round(value), value
        return str(round(value))
    if isinstance(value, Fraction):
        return str(value.numerator) if value.denominator == 1 else f"{value.numerator}/{value.denominator}"
    return str(value)


def integers(text: str) -> list[int]:
    """Every whole number in a text."""
    return [int(digits) for digits in re.findall(r"\d+", text)]
