"""Replaces a number of a problem: parses its chain of steps into calculations and works them out again.

A chain is parsed only if the calculations, with the numbers in the prompt, reproduce it line by line. A problem whose
chain is not, for example because a number in a step comes from nowhere or from two places, is left alone.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tuili.tasks.building.working import exact_division, grid_multiplication, multiplication

_NUMBER = re.compile(r"(?<![A-Za-z0-9_.,/:])[0-9]{1,6}(?![A-Za-z0-9_%/:^]|[.,][0-9])", re.ASCII)
_STEP = re.compile(r"((?:[^\W\d]\w* = )?)(-?[0-9]+) ([-+*/]) ([0-9]+)( = \2 \+ \2)? = (-?[0-9]+)")
_HALF_OR_DOUBLE = 2
"""The only number that steps may contain if the prompt does not: `doubles`, `half of them`."""
_SMALLEST_REPLACED = 13
"""Smaller numbers may also occur in a prompt as words, or mean something else: `twice`, an average of three."""
LARGEST = 1_000_000
_TRIES = 12
_Lines = Callable[[int, int], list[str]]


def _no_lines(_: int, __: int) -> list[str]:
    return []


_WORKINGS: dict[str, tuple[_Lines, ...]] = {
    "+": (_no_lines,),
    "-": (_no_lines,),
    "*": (grid_multiplication, multiplication),
    "/": (exact_division,),
}


class Replaced(NamedTuple):
    """A problem with one number replaced by another."""

    old: int
    new: int
    prompt: str
    steps: tuple[str, ...]
    answer: str


@dataclass(frozen=True)
class _Operand:
    """A number in a calculation: the result of an earlier calculation, the replaced number, or one that stays."""

    value: int
    result_of: int | None = None
    is_old: bool = False


@dataclass(frozen=True)
class _Calculation:
    """A step with the lines of its working. `doubled`: whether it is written as `a * 2 = a + a = …`."""

    name: str
    left: _Operand
    sign: str
    right: _Operand
    doubled: bool
    lines: _Lines


def replace_number(prompt: str, steps: Sequence[str], answer: str, rng: random.Random) -> Replaced | None:
    """The problem with one number of its prompt replaced, and its chain and answer; None if they are not certain."""
    numbers = re.findall("[0-9]+", prompt)
    places = {int(place[0]): place.span() for place in _NUMBER.finditer(prompt) if numbers.count(place[0]) == 1}
    candidates = [number for number in places if number >= _SMALLEST_REPLACED]
    for old in rng.sample(candidates, len(candidates)):
        calculations = _understood(steps, answer, frozenset(map(int, numbers)), old)
        if calculations is None:
            continue
        for _ in range(_TRIES):
            new = rng.randint(old // 2, 2 * old)
            if str(new) not in numbers and (worked := _worked(calculations, new)):
                start, end = places[old]
                return Replaced(old, new, prompt[:start] + str(new) + prompt[end:], *worked)
    return None


def _understood(steps: Sequence[str], answer: str, given: frozenset[int], old: int) -> list[_Calculation] | None:
    """The calculations of a chain that uses the number `old`; None if the chain holds anything else."""
    calculations, results, working, unused = list[_Calculation](), list[int](), list[str](), set[int]()

    def operand(value: int) -> _Operand | None:
        sources = [_Operand(value, result_of=place) for place, result in enumerate(results) if result == value]
        sources += [_Operand(value, is_old=value == old)] if value in given else []
        return sources[0] if len(sources) == 1 else None

    for step in steps:
        parts = _STEP.fullmatch(step)
        left, right = (operand(int(parts[2])), operand(int(parts[4]))) if parts else (None, None)
        if parts and right is None and int(parts[4]) == _HALF_OR_DOUBLE and parts[3] in "*/" and 2 not in given:
            right = _Operand(_HALF_OR_DOUBLE)
        if not (parts and left and right):
            working.append(step)
            continue
        doubled = bool(parts[5])
        options = (_no_lines,) if doubled else _WORKINGS[parts[3]]
        lines = next((one for one in options if _lines_are(working, one, left.value, right.value)), None)
        if lines is None:
            return None
        unused -= {left.result_of, right.result_of}
        unused.add(len(results))
        calculations.append(_Calculation(parts[1], left, parts[3], right, doubled, lines))
        results.append(int(parts[6]))
        working = []
    used = any(operand.is_old for one in calculations for operand in (one.left, one.right))
    whole = not working and unused == {len(results) - 1} and str(results[-1]) == answer
    return calculations if used and whole and _worked(calculations, old) == (tuple(steps), answer) else None


def _lines_are(working: Sequence[str], lines: _Lines, left: int, right: int) -> bool:
    return left > 0 and right > 0 and lines(left, right) == working if lines is not _no_lines else not working


def _worked(calculations: Sequence[_Calculation], new: int) -> tuple[tuple[str, ...], str] | None:
    """The chain and the answer with the new number; None if a result is not positive, not whole or too large."""
    results, steps = list[int](), list[str]()

    def value(operand: _Operand) -> int:
        if operand.result_of is not None:
            return results[operand.result_of]
        return new if operand.is_old else operand.value

    for one in calculations:
        left, right = value(one.left), value(one.right)
        if one.sign == "/" and (right == 0 or left % right):
            return None
        result = {"+": left + right, "-": left - right, "*": left * right, "/": left // (right or 1)}[one.sign]
        if not 0 < result <= LARGEST or left <= 0 or right <= 0:
            return None
        steps += one.lines(left, right)
        doubled = f" = {left} + {left}" if one.doubled else ""
        steps.append(f"{one.name}{left} {one.sign} {right}{doubled} = {result}")
        results.append(result)
    return tuple(steps), str(results[-1])
