"""The values of programs: whole numbers, truth values, lists of these, and None."""

from __future__ import annotations

from reprlib import Repr
from typing import TypeAlias

Value: TypeAlias = int | bool | list[int] | None

_SHORT = Repr()
_SHORT.maxlist = _SHORT.maxtuple = 20


def same_value(one: Value, other: Value) -> bool:
    """Whether two values are equal and of the same kind: `1` is not `True`, nor is `[1]` `[True]`."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_value, one, other))
    return type(one) is type(other) and one == other


def fresh(value: Value) -> Value:
    """The value itself, or a copy of a list, as a program may change a list."""
    return list(value) if isinstance(value, list) else value


def kind_name(value: Value) -> str:
    """The kind of a value in words."""
    if value is None:
        return "None"
    return {bool: "a truth value", int: "a number", list: "a list"}[type(value)]


def shortened(value: Value | tuple[Value, ...]) -> str:
    """The value as Python writes it; of a long value only the beginning and the end."""
    return _SHORT.repr(value)
