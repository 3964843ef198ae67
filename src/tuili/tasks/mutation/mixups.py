"""Mix-ups in a line: one operator, operand, relation, unit or name is written instead of another.

Each function yields changed chains of a problem in random order. `mutations` decides whether a changed chain is wrong.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

from tuili.steps import units
from tuili.tasks.mutation.carrying import carried, is_new
from tuili.tasks.mutation.premises import problem_names
from tuili.tasks.mutation.rewriting import (
    IMPLIES,
    NUMBER,
    MutatedChain,
    numbers,
    recalculated,
    replaced,
    result,
    result_start,
    shuffled,
)
from tuili.tasks.problem import Problem

_OTHER_OPERATORS = {
    "+": ("-", "*"), "-": ("+",), "*": ("+", "/"), "/": ("*", "-"), "mod": ("div",),
    "and": ("or",), "or": ("and",), "->": ("<->",), "<->": ("->",),
}  # fmt: skip
_OPERATOR = re.compile(r"(?<= )(?:\+|-|\*|/|mod|and|or|->|<->)(?= )")
_OPERAND = r"(?:\([^()]*\)|(?<![\w.^/)-])-?\d+(?:/\d+|\.\d+)?(?: [A-Za-z][\w/*^()]*)?|\b[A-Za-z_]\w*)"
_ORDERED = re.compile(rf"({_OPERAND})( - | / | mod )({_OPERAND})|(?<=\b[CP]\()(\d+)(, )(\d+)(?=\))")
_RELATION = re.compile(r"(?<= )[<>]=?(?= )|\b(?:true|false)\b")
_OPPOSITE = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "true": "false", "false": "true"}
_NAME = re.compile(r"\b[A-Za-z_]\w*\b")
_SIZES = (
    ("mm", "cm", "m", "km"), ("s", "min", "h", "day", "week"), ("g", "kg", "t"), ("W", "kW"), ("J", "kJ"),
    ("Wh", "kWh"), ("N", "kN"), ("V", "kV"), ("A", "mA"), ("cents", "dollars"), ("mL", "L"),
)  # fmt: skip


def wrong_operator(problem: Problem, rng: random.Random) -> Iterator[MutatedChain]:
    """A wrong operator with the right result, or the right operator with the result of a wrong one."""
    for at, line in _other_operators(problem, rng):
        step, calculated = problem.steps[at], recalculated(line)
        if calculated is not None and rng.random() < 0.5:
            line = step[: result_start(step)] + calculated[result_start(calculated) :]
        yield replaced(problem, at, line)


def wrong_operation(problem: Problem, rng: random.Random) -> Iterator[MutatedChain]:
    """A step does an operation that the problem does not need, correctly, and later steps continue from its result."""
    for at, line in _other_operators(problem, rng):
        old, new = result(problem.steps[at]), recalculated(line)
        if not old or not new or old == result(new) or not all(is_new(part, problem, at) for part in numbers(old)):
            continue
        chain = carried(problem, at, new)
        if chain is not None:
            yield chain


def swapped_operands(problem: Problem, rng: random.Random) -> Iterator[MutatedChain]:
    """The operands of a difference, quotient or remainder, or the two numbers of `C` or `P`, are swapped."""
    for at, match in _places(problem, rng, _ORDERED):
        first, middle, second = (group for group in match.groups() if group is not None)
        yield replaced(problem, at, _with(match, second + middle + first))


def flipped_comparison(problem: Problem, rng: random.Random) -> Iterator[MutatedChain]:
    """A relation or a truth value is replaced by its opposite."""
    for at, match in _places(problem, rng, _RELATION):
        yield replaced(problem, at, _with(match, _OPPOSITE[match[0]]))


def wrong_unit(problem: Problem, rng: random.Random) -> Iterator[MutatedChain]:
    """A unit is replaced in a step and, if the step's result is the answer, in the answer."""
    written = sorted({unit for text in (problem.prompt, *problem.steps) for _, unit in _units(text)})
    for at in shuffled(rng, len(problem.steps)):
        step = problem.steps[at]
        places = _units(step)
        for start, unit in rng.sample(places, len(places)):
            others = {*written, *_similar(unit)} - {unit, f"{unit}s", unit.removesuffix("s")}
            for other in rng.sample(sorted(others), min(len(others), 1)):
                line = step[:start] + other + step[start + len(unit) :]
                at_end = result_start(step)
                is_answer = step[at_end:] == problem.answer and start > at_end
                answer = line[at_end:] if is_answer else problem.answer
                yield MutatedChain(replaced(problem, at, line).steps, answer)


def swapped_names(problem: Problem, rng: random.Random) -> Iterator[MutatedChain]:
    """Two names in a conclusion or a calculation are swapped, or one is replaced by another name of the problem."""
    known = sorted(problem_names(problem))
    for at in shuffled(rng, len(problem.steps)):
        step = problem.steps[at]
        start = result_start(step) if IMPLIES in step else 0
        matches = [match for match in _NAME.finditer(step, start) if match[0] in known and len(known) > 1]
        for match in rng.sample(matches, len(matches)):
            other = rng.choice([name for name in known if name != match[0]])
            is_there = any(name[0] == other for name in matches)
            yield replaced(problem, at, _exchanged(step, start, match[0], other) if is_there else _with(match, other))


def _other_operators(problem: Problem, rng: random.Random) -> Iterator[tuple[int, str]]:
    for at, match in _places(problem, rng, _OPERATOR):
        yield at, _with(match, rng.choice(_OTHER_OPERATORS[match[0]]))


def _places(problem: Problem, rng: random.Random, pattern: re.Pattern[str]) -> Iterator[tuple[int, re.Match[str]]]:
    """Yield the matches of a pattern with the indices of their steps. In an inference only the conclusion counts."""
    for at in shuffled(rng, len(problem.steps)):
        step = problem.steps[at]
        matches = list(pattern.finditer(step, result_start(step) if IMPLIES in step else 0))
        yield from ((at, match) for match in rng.sample(matches, len(matches)))


def _with(match: re.Match[str], text: str) -> str:
    """The line of a match, with the match replaced by another text."""
    return match.string[: match.start()] + text + match.string[match.end() :]


def _exchanged(line: str, start: int, name: str, other: str) -> str:
    """The line with two names swapped from `start` on."""
    both = {name: other, other: name}
    return line[:start] + _NAME.sub(lambda match: both.get(match[0], match[0]), line[start:])


def _units(text: str) -> list[tuple[int, str]]:
    """The units in a text, each with its place."""
    places = []
    for match in NUMBER.finditer(text):
        start = match.end() + 1
        if text[match.end() : start] == " " and (measured := units.match_unit(text, start)):
            places.append((start, text[start : measured[1]]))
    return places


def _similar(unit: str) -> list[str]:
    """Units similar to a unit: of another size or with another power."""
    sizes = next((scale for scale in _SIZES if unit in scale), ())
    symbol, _, power = unit.partition("^")
    powers = [symbol, f"{symbol}^2", f"{symbol}^3"] if symbol in _SIZES[0] and (power or symbol == unit) else []
    return [*sizes, *powers]
