"""What terms are worth: exact values, how two of them compare, and how they are written.

Operations that make new values are left to `arithmetic` (numbers, quantities, collections) and `dates`.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from tuili.steps.terms import WEEKDAYS
from tuili.steps.units import BASES, PLAIN, Dimension, Unit, measure
from tuili.steps.verdict import Undecided, Undefined


@dataclass(frozen=True, slots=True)
class Quantity:
    """An amount in base units with a dimension that is not plain; plain amounts are numbers."""

    amount: Fraction
    dimension: Dimension


@dataclass(frozen=True, slots=True)
class Weekday:
    """A day of the week, 0 = Monday."""

    number: int


@dataclass(frozen=True, slots=True)
class TimeOfDay:
    """Seconds since midnight, 0 ≤ seconds < 86,400."""

    seconds: int


Value: TypeAlias = (
    Fraction
    | bool
    | Quantity
    | datetime.date
    | Weekday
    | TimeOfDay
    | frozenset["Value"]
    | tuple["Value", ...]
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
_ORDERED = (Fraction, Quantity, datetime.date, TimeOfDay)


def sort(value: Value) -> str:
    """The kind of a value in words."""
    if isinstance(value, Quantity):
        return f"a quantity in {dimension_text(value.dimension)}"
    return _SORTS[type(value)]


def dimension_text(dimension: Dimension) -> str:
    """A dimension as a product of base units."""
    return str(base_unit(dimension))


def base_unit(dimension: Dimension) -> Unit:
    """The unit of a dimension that `Quantity.amount` counts."""
    factors = [(base, power) for base, power in zip(BASES, dimension, strict=True) if power]
    return Unit(tuple(sorted(factors, key=lambda factor: factor[1] < 0)))


def quantity(amount: Fraction, dimension: Dimension) -> Value:
    """A quantity, or a number when the dimension is plain."""
    return amount if dimension == PLAIN else Quantity(amount, dimension)


def comparable(left: Value, right: Value) -> bool:
    """Whether two values are of one sort and, for quantities, of one dimension."""
    if isinstance(left, Quantity) and isinstance(right, Quantity):
        return left.dimension == right.dimension
    return type(left) is type(right)


def holds(left: Value, relation: str, right: Value) -> bool:
    """Whether two values stand in a relation. Raises `Undefined` where it makes no sense (`1 m < 2 s`)."""
    if not comparable(left, right):
        raise Undefined(f"{sort(left)} cannot be compared with {sort(right)}")
    if relation in ("=", "=="):
        return left == right
    if relation == "!=":
        return left != right
    if type(left) not in _ORDERED:
        raise Undefined(f"{sort(left)} has no order")
    a: object = left.amount if isinstance(left, Quantity) else left
    b: object = right.amount if isinstance(right, Quantity) else right
    if isinstance(a, TimeOfDay) and isinstance(b, TimeOfDay):
        a, b = a.seconds, b.seconds
    return _ordered(a, b, relation)


def _ordered(a: object, b: object, relation: str) -> bool:
    if isinstance(a, datetime.date) and isinstance(b, datetime.date):
        a, b = Fraction(a.toordinal()), Fraction(b.toordinal())
    if not isinstance(a, (Fraction, int)) or not isinstance(b, (Fraction, int)):
        raise Undecided("no order")
    match relation:
        case "<":
            return a < b
        case "<=":
            return a <= b
        case ">":
            return a > b
        case _:
            return a >= b


def show(value: Value, unit: Unit | None = None) -> str:
    """A value in canonical printing; a quantity in the given unit if the dimension fits, else in base units."""
    match value:
        case bool():
            return str(value).lower()
        case Fraction():
            return show_number(value)
        case Quantity():
            if unit is None or measure(unit)[1] != value.dimension:
                unit = base_unit(value.dimension)
            return f"{show_number(value.amount / measure(unit)[0])} {unit}"
        case datetime.date():
            return value.isoformat()
        case Weekday():
            return WEEKDAYS[value.number]
        case TimeOfDay():
            hour, minute, second = value.seconds // 3600, value.seconds // 60 % 60, value.seconds % 60
            return f"{hour:02}:{minute:02}" + (f":{second:02}" if second else "")
        case frozenset():
            return "{" + ", ".join(sorted((show(item, unit) for item in value), key=_natural)) + "}"
        case tuple():
            return "[" + ", ".join(show(item, unit) for item in value) + "]"


def show_number(value: Fraction) -> str:
    """`7`, `-3/4`."""
    return str(value.numerator) if value.denominator == 1 else f"{value.numerator}/{value.denominator}"


def _natural(text: str) -> tuple[int, str]:
    return len(text), text
