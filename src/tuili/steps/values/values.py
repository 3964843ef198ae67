"""What terms are worth: exact values, how two of them compare, and how they are written.

Operations that make new values are left to `arithmetic` (numbers, quantities, collections) and `dates`.
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
    """An amount in base units with a dimension that is not plain; plain amounts are numbers."""

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

_SORTS = {
    Fraction: "a number",
    bool: "a truth value",
    Quantity: "a quantity",
    datetime.date: "a date",
    Weekday: "a weekday",
    TimeOfDay: "a time of day",
    frozenset: "a set",
    tuple: "a list",
}
_ORDERED = frozenset({Fraction, Quantity, datetime.date, TimeOfDay})
_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def describe_type(value: Value) -> str:
    """The kind of a value in words."""
    if isinstance(value, Quantity):
        return f"a quantity in {base_unit(value.dimension)}"
    return _SORTS[type(value)]


def base_unit(dimension: Dimension) -> Unit:
    """The unit of a dimension that `Quantity.amount` counts."""
    factors = [(base, power) for base, power in zip(BASE_UNITS, dimension, strict=True) if power]
    return Unit(tuple(sorted(factors, key=lambda factor: factor[1] < 0)))


def quantity(amount: Fraction, dimension: Dimension) -> Value:
    """A quantity, or a number when the dimension is plain."""
    return amount if dimension == DIMENSIONLESS else Quantity(amount, dimension)


def comparable(left: Value, right: Value) -> bool:
    """Whether two values are of one sort and, for quantities, of one dimension."""
    if isinstance(left, Quantity) and isinstance(right, Quantity):
        return left.dimension == right.dimension
    return type(left) is type(right)


def equal(left: Value, right: Value) -> bool:
    """Whether two values are equal and of one sort; `1` and `true` are not, and neither are `{1}` and `{true}`."""
    if not comparable(left, right) or left != right:
        return False
    if isinstance(left, (tuple, frozenset)) and isinstance(right, (tuple, frozenset)):
        # All elements of a collection are of one sort. Python takes True for 1, in sets as well.
        return all(comparable(own, other) for own, other in zip(left, right, strict=True))
    return True


def compare(left: Value, relation: str, right: Value) -> bool:
    """Whether two values stand in a relation. Raises `Undefined` where it makes no sense (`1 m < 2 s`)."""
    if not comparable(left, right):
        raise Undefined(f"{describe_type(left)} cannot be compared with {describe_type(right)}")
    if relation in EQUALITIES:
        return equal(left, right) is (relation != "!=")
    if type(left) not in _ORDERED:
        raise Undefined(f"{describe_type(left)} has no order")
    if isinstance(left, Quantity) and isinstance(right, Quantity):
        left, right = left.amount, right.amount
    return _ORDERS[relation](left, right)
