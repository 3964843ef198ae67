"""Retells a run of a program in lines of the step language, one for each calculation. Every line holds."""

from __future__ import annotations

from collections.abc import Sequence

from tuili.steps.programs.bounds import DEFAULT_BOUNDS, Bounds
from tuili.steps.programs.language.syntax import Program
from tuili.steps.programs.running.frames import Operation
from tuili.steps.programs.running.machine import run
from tuili.steps.programs.values import Value

_SIGNS = {"//": "div", "%": "mod", "**": "^", "next": "+"}
_INFIX = frozenset({"+", "-", "*", "//", "%", "**", "next", "<", "<=", ">", ">=", "==", "!=", "in"})
_FUNCTIONS = frozenset({"abs", "len", "max", "min", "sum"})


def retell(
    program: Program, arguments: Sequence[Value], bounds: Bounds = DEFAULT_BOUNDS, function: str = ""
) -> tuple[str, ...]:
    """The lines of a run: `3 + 4 = 7` for a calculation, `4 > 3 = true` for a comparison.

    The next number of a range is written as a sum, an appended element as a sum of lists. What the step language cannot
    say is left out: slices, sorting, `not`, and everything that involves None or a truth value as a number.
    """
    lines: list[str] = []

    def observe(operation: Operation) -> None:
        if line := _line(operation):
            lines.append(line)

    run(program, arguments, bounds, function, observe)
    return tuple(lines)


def _line(operation: Operation) -> str:
    if any(map(_is_unknown, (*operation.operands, *_elements(operation.operands)))):
        return ""
    sign, value = operation.sign, _text(operation.value)
    match operation.operands:
        case (list() as items, int() as index) if sign == "[]":
            return f"{_text(items)}[{index}] = {value}" if index >= 0 else ""
        case (list() as items, item) if sign == "append":
            return f"{_text(items)} + [{_text(item)}] = {value}"
        case (int(), list()) | (list(), int()) if sign == "*":
            return ""
        case (left, right) if sign in _INFIX:
            return f"{_text(left)} {_SIGNS.get(sign, sign)} {_text(right)} = {value}"
    if sign in _FUNCTIONS:
        return f"{sign}({', '.join(map(_text, operation.operands))}) = {value}"
    return ""


def _is_unknown(value: Value) -> bool:
    return value is None or isinstance(value, bool)


def _elements(values: Sequence[Value]) -> list[int]:
    return [item for value in values if isinstance(value, list) for item in value]


def _text(value: Value) -> str:
    """The value in the step language."""
    return str(value).lower() if isinstance(value, bool) else str(value)
