"""What the operators and built-in functions do: as in Python, but only on numbers, truth values and lists.

The values are Python's own, so that each operation is Python's, once its size is known to be bounded.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from tuili.steps.programs.bounds import Bounds
from tuili.steps.programs.faults import FaultKind, Stop, raised, unsupported
from tuili.steps.programs.values import Value, kind_name

_BINARY: Mapping[str, Callable[[Any, Any], Value]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
}
_IN_PLACE: Mapping[str, Callable[[Any, Any], Value]] = {"+": operator.iadd, "*": operator.imul}
_UNARY: Mapping[str, Callable[[Any], Value]] = {"-": operator.neg, "+": operator.pos, "not": operator.not_}
_COMPARE: Mapping[str, Callable[[Any, Any], Value]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "in": lambda item, items: item in items,
    "not in": lambda item, items: item not in items,
}
_ELEMENT: Callable[[Any, Any], Value] = operator.getitem
BUILT_IN: Mapping[str, Callable[..., Value]] = {
    "abs": abs,
    "len": len,
    "max": max,
    "min": min,
    "sorted": sorted,
    "sum": sum,
}
T = TypeVar("T")


@dataclass(slots=True)
class Meter:
    """The work left to a run, and the bounds on its values."""

    bounds: Bounds
    left: int

    def spend(self, work: int) -> None:
        """Takes work from what is left. Stops the run when none is left."""
        self.left -= work
        if self.left < 0:
            raise Stop(FaultKind.LIMIT, f"the run takes more than {self.bounds.steps} steps")

    def made(self, value: Value) -> Value:
        """Charges the value that an operation made by its size, and returns it. Stops the run if it is too large."""
        if isinstance(value, list):
            self.check_length(len(value))
            self.spend(len(value))
        elif value is not None and value.bit_length() > 64:
            self.check_bits(value.bit_length())
            self.spend(value.bit_length() // 64)
        return value

    def check_length(self, length: int) -> None:
        """Stops the run if a list is too long."""
        if length > self.bounds.elements:
            raise Stop(FaultKind.LIMIT, f"a list has more than {self.bounds.elements} elements")

    def check_bits(self, bits: int) -> None:
        """Stops the run if a number is too large."""
        if bits > self.bounds.bits:
            raise Stop(FaultKind.LIMIT, f"a number has more than {self.bounds.bits} bits")


def binary(sign: str, left: Value, right: Value, meter: Meter, in_place: bool = False) -> Value:
    """The value of `left sign right`; in place, a list is changed instead of a new one being made."""
    if sign == "**" and isinstance(left, int) and isinstance(right, int):
        if right < 0 and left != 0:
            raise unsupported(f"a power with the exponent {right} is no whole number")
        meter.check_bits(max(right, 0) * left.bit_length() if abs(left) > 1 else 0)
    if sign == "*":
        for items, times in ((left, right), (right, left)):
            if isinstance(items, list) and isinstance(times, int):
                meter.check_length(len(items) * max(times, 0))
    if sign == "+" and in_place and isinstance(left, list) and isinstance(right, list):
        meter.check_length(len(left) + len(right))
    table = _IN_PLACE if in_place and sign in _IN_PLACE else _BINARY
    return meter.made(_python(table[sign], left, right))


def unary(sign: str, operand: Value) -> Value:
    """The value of `sign operand`."""
    return _python(_UNARY[sign], operand)


def compare(sign: str, left: Value, right: Value, meter: Meter) -> Value:
    """The truth value of `left sign right`."""
    meter.spend(max(_size(left), _size(right)))
    return _python(_COMPARE[sign], left, right)


def element(items: Value, index: Value) -> Value:
    """`items[index]`"""
    return _python(_ELEMENT, items, index)


def part(items: Value, start: Value, stop: Value, step: Value, meter: Meter) -> Value:
    """`items[start:stop:step]`"""
    return meter.made(_python(_ELEMENT, items, slice(start, stop, step)))


def store(items: Value, index: Value, value: Value) -> None:
    """`items[index] = value`"""
    if isinstance(items, list):
        check_element(value)
    _python(operator.setitem, items, index, value)


def made_range(arguments: list[Value]) -> range:
    """`range(…)` with one to three arguments."""
    if not 1 <= len(arguments) <= 3:
        raise raised("TypeError", f"range takes 1 to 3 numbers, not {len(arguments)}")
    return _python(range, *arguments)


def built_in(name: str, arguments: list[Value], meter: Meter) -> Value:
    """The value of a built-in function."""
    meter.spend(4 * sum(map(_size, arguments)))
    if name == "sum" and len(arguments) > 1:
        raise unsupported("sum takes one list here")
    if name in ("max", "min") and len(arguments) == 1 and not isinstance(arguments[0], list):
        raise raised("TypeError", f"{name} of {kind_name(arguments[0])}: give two values or a list")
    return meter.made(_python(BUILT_IN[name], *arguments))


def method(name: str, items: Value, arguments: list[Value], meter: Meter) -> Value:
    """The value of `items.append(…)` or `items.pop(…)`."""
    assert isinstance(items, list), "has_method was asked before"
    if name == "pop":
        meter.spend(len(items) // 64)
        return _python(items.pop, *arguments)
    if len(arguments) != 1:
        raise raised("TypeError", f"append takes one value, not {len(arguments)}")
    check_element(arguments[0])
    meter.check_length(len(items) + 1)
    items.append(arguments[0])  # type: ignore[arg-type]  # check_element leaves numbers alone
    return None


def check_method(name: str, value: Value) -> None:
    """Stops the run if a value has no such method."""
    if not isinstance(value, list):
        raise raised("AttributeError", f"{kind_name(value)} has no {name}: lists have it")


def check_element(value: Value) -> None:
    """Stops the run if an element of a list is neither a number nor a truth value."""
    if not isinstance(value, int):
        raise unsupported(f"{kind_name(value)} as an element of a list, which holds numbers and truth values")


def _size(value: Value) -> int:
    return len(value) if isinstance(value, list) else 0


def _python(function: Callable[..., T], *arguments: Any) -> T:
    """The result of Python's own function. Its exception, with the reason in Python's words, stops the run."""
    try:
        return function(*arguments)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise raised(type(error).__name__, str(error)) from None
