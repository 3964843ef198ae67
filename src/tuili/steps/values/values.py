"""The types of exact values, and how two values compare.

`arithmetic` and `dates` compute new values; `rendering` writes values.
"""

from __future__ import annotations

import datetime
import operator
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

from tuili.steps.language.grammar import EQUALITIES
from tuili.steps.language.units import BASE_UNITS, DIMENSIONLESS, Dimension, Unit
from tuili.steps.verdict import Undefined


@dataclass(frozen=True, slots=True)
class Quantity:
    """An amount in base units, with its dimension. An amount without a dimension is a number, a `Fraction`."""

    amount: Fraction
    dimension: Dimension


@dataclass(frozen=True, slots=True)
class Weekday:
    """A day of the week, 0 = Monday."""

    number: int


@dataclass(frozen=True, slots=True, order=True)
class TimeOfDay:
    """Seconds since midnight, 0 ≤ seconds < 86,400."""

    seconds: int


Value: TypeAlias = (
    Fraction | bool | Quantity | datetime.date | Weekday | TimeOfDay | frozenset["Value"] | tuple["Value", ...]
)

_TYPE_NAMES = {
    Fraction: "a number",
    bool: "a truth value",
    Quantity: "a quantity",
    datetime.date: "a date",
    Weekday: "a weekday",
    TimeOfDay: "a time of day",
    frozenset: "a set",
    tuple: "a list",
}
_ORDERED_TYPES = frozenset({Fraction, Quantity, datetime.date, TimeOfDay})
_ORDER_RELATIONS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def describe_type(value: Value) -> str:
    """The type of a value in words, for messages."""
    if isinstance(value, Quantity):
        return f"a quantity in {base_unit(value.dimension)}"
    return _TYPE_NAMES[type(value)]


def base_unit(dimension: Dimension) -> Unit:
    """The unit of a dimension that `Quantity.amount` counts."""
    factors = [(base, power) for base, power in zip(BASE_UNITS, dimension, strict=True) if power]
    return Unit(tuple(sorted(factors, key=lambda factor: factor[1] < 0)))


def quantity(amount: Fraction, dimension: Dimension) -> Value:
    """A quantity, or a number if there is no dimension."""
    return amount if dimension == DIMENSIONLESS else Quantity(amount, dimension)


def comparable(left: Value, right: Value) -> bool:
    """Whether two values are of one type and, if they are quantities, of one dimension."""
    if isinstance(left, Quantity) and isinstance(right, Quantity):
        return left.dimension == right.dimension
    return type(left) is type(right)


def equal(left: Value, right: Value) -> bool:
    """Whether two values are equal and of one type: `1` and `true` are not, and neither are `{1}` and `{true}`."""
    if not comparable(left, right) or left != right:
        return False
    if isinstance(left, (tuple, frozenset)) and isinstance(right, (tuple, frozenset)):
        # All elements of a collection are of one type. Python treats True and 1 as equal, also in sets.
        return all(comparable(a, b) for a, b in zip(left, right, strict=True))
    return True


def compare(left: Value, relation: str, right: Value) -> bool:
    """Whether the relation holds between two values. Raises `Undefined` if they cannot be compared (`1 m < 2 s`)."""
    if not comparable(left, right):
        raise Undefined(f"{describe_type(left)} cannot be compared with {describe_type(right)}")
    if relation in EQUALITIES:
        return equal(left, right) is (relation != "!=")
    if type(left) not in _ORDERED_TYPES:
        raise Undefined(f"{describe_type(left)} has no order")
    if isinstance(left, Quantity) and isinstance(right, Quantity):
        left, right = left.amount, right.amount
    return _ORDER_RELATIONS[relation](left, right)
