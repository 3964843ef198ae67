"""Carries errors forward: works out the later steps, their written working and the answer from a wrong number.

`rewriting` changes single lines; `slips`, `mixups` and `gaps` choose the errors.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence

from tuili.tasks.building.working import exact_division, grid_multiplication, long_division, long_multiplication
from tuili.tasks.mutation.rewriting import (
    IMPLIES,
    MutatedChain,
    numbers,
    recalculated,
    result,
    result_start,
    substituted,
)
from tuili.tasks.problem import Problem

_OPERATION = re.compile(r"(?<![\w./])(\d+)(?: [A-Za-z]\S*)? (\*|/|mod) (\d+)(?![\w./])")
_WORKINGS: Mapping[str, tuple[Callable[[int, int], list[str]], ...]] = {
    "*": (grid_multiplication, long_multiplication),
    "/": (exact_division,),
    "mod": (long_division,),
}


def is_new(number: str, problem: Problem, at: int) -> bool:
    """Whether a number first occurs in step `at` or its working, so later steps can only take it from there."""
    start = at - len(_working_before(problem.steps[:at], problem.steps[at]))
    return all(number not in numbers(text) for text in (problem.prompt, *problem.steps[:start]))


def carried(problem: Problem, at: int, line: str) -> MutatedChain | None:
    """The chain with another line at step `at`, whose result is carried forward to the later steps and the answer.

    The later steps and their written working are recalculated. None if a result would have another form (a fraction, a
    negative length), because a solver would notice that.
    """
    before = list(problem.steps[:at])
    _rework(before, problem.steps[at], line)
    changes = _result_changes(problem.steps[at], line)
    return _continued(problem, at + 1, [*before, line], changes, frozenset(problem.context.facts.values()))


def misread(problem: Problem, number: str, other: str) -> MutatedChain | None:
    """The chain of a solver who reads `other` for `number` in the prompt. None in the same cases as `carried`."""
    return _continued(problem, 0, [], {number: other}, frozenset())


def _continued(
    problem: Problem, at: int, steps: list[str], changes: dict[str, str], facts: Collection[str]
) -> MutatedChain | None:
    """The given steps, then the problem's steps from `at` on, with the numbers in `changes` replaced.

    Adds to `changes` the numbers that change in these steps.
    """
    for i, line in enumerate(problem.steps[at:], at):
        is_stated = IMPLIES in line or line in facts
        new = _inferred(line, changes, facts) if is_stated else _calculated(line, changes)
        if new is None:
            return None
        if not is_stated and new != line:
            learned = _result_changes(line, new)
            if not all(number in changes or is_new(number, problem, i) for number in learned):
                return None  # the right number also occurs elsewhere, and nothing says which one a later step uses
            changes.update(learned)
        _rework(steps, line, new)
        steps.append(new)
    return MutatedChain(tuple(steps), substituted(problem.answer, changes))


def _result_changes(line: str, new: str) -> dict[str, str]:
    """The numbers in a line's result that differ in the new line."""
    pairs = zip(numbers(line[result_start(line) :]), numbers(new[result_start(new) :]), strict=False)
    return {number: other for number, other in pairs if number != other}


def _inferred(line: str, changes: Mapping[str, str], facts: Collection[str]) -> str:
    """An inference or a restated fact with changed numbers. Facts stay unchanged."""
    premises, mark, conclusion = line.rpartition(IMPLIES)
    kept = [text if text in facts else substituted(text, changes) for text in premises.split(", ")]
    return ", ".join(kept) + mark + (conclusion if line in facts else substituted(conclusion, changes))


def _calculated(line: str, changes: Mapping[str, str]) -> str | None:
    """A calculation with changed numbers and the resulting value. None in the same cases as `recalculated`."""
    start = result_start(line)
    if not numbers(line[:start]):
        return line[:start] + substituted(line[start:], changes)
    restated = substituted(line[:start], changes) + line[start:]
    return line if restated == line or result(line) is None else recalculated(restated)


def _rework(steps: list[str], line: str, new: str) -> None:
    """Replace the working of the old line's operation, at the end of the steps, with that of the new line's."""
    old, now = _OPERATION.search(line), _OPERATION.search(new)
    working = _working_before(steps, line)
    if old is None or not working or (now and now[0] == old[0]):
        return
    way = next(way for way in _WORKINGS[old[2]] if _working(way, old) == working)
    steps[-len(working) :] = _working(way, now) if now and now[2] == old[2] else []


def _working_before(steps: Sequence[str], line: str) -> list[str]:
    """The last lines of the steps, if they are the working of the next line's operation."""
    operation = _OPERATION.search(line)
    ways = _WORKINGS[operation[2]] if operation else ()
    workings = (_working(way, operation) for way in ways if operation)
    return next((lines for lines in workings if lines and [*steps[-len(lines) :]] == lines), [])


def _working(way: Callable[[int, int], list[str]], operation: re.Match[str]) -> list[str]:
    """The written working of an operation. An operation with a zero needs none."""
    left, right = int(operation[1]), int(operation[3])
    return way(left, right) if left and right else []
