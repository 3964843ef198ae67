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

from tuili.steps.language.terms import WEEKDAYS
from tuili.steps.language.units import BASES, PLAIN, Dimension, Unit, measure
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
MAX_PLACES = 12
_EQUALITIES = frozenset({"=", "==", "!="})
_ORDERED = frozenset({Fraction, Quantity, datetime.date, TimeOfDay})
_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def sort(value: Value) -> str:
    """The kind of a value in words."""
    if isinstance(value, Quantity):
        return f"a quantity in {base_unit(value.dimension)}"
    return _SORTS[type(value)]


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


def same(left: Value, right: Value) -> bool:
    """Whether two values are equal and of one sort; `1` and `true` are not, and neither are `{1}` and `{true}`."""
    if not comparable(left, right) or left != right:
        return False
    if isinstance(left, (tuple, frozenset)) and isinstance(right, (tuple, frozenset)):
        # All elements of a collection are of one sort. Python takes True for 1, in sets as well.
        return all(comparable(own, other) for own, other in zip(left, right, strict=True))
    return True


def holds(left: Value, relation: str, right: Value) -> bool:
    """Whether two values stand in a relation. Raises `Undefined` where it makes no sense (`1 m < 2 s`)."""
    if not comparable(left, right):
        raise Undefined(f"{sort(left)} cannot be compared with {sort(right)}")
    if relation in _EQUALITIES:
        return same(left, right) is (relation != "!=")
    if type(left) not in _ORDERED:
        raise Undefined(f"{sort(left)} has no order")
    if isinstance(left, Quantity) and isinstance(right, Quantity):
        left, right = left.amount, right.amount
    return _ORDERS[relation](left, right)


def show(value: Value, unit: Unit | None = None, decimal: bool = False) -> str:
    """A value in canonical printing; a quantity in the given unit if that fits, else in base units.

    With `decimal`, numbers are written as decimals where those end.
    """
    match value:
        case bool():
            return str(value).lower()
        case Fraction():
            return show_number(value, decimal)
        case Quantity():
            if unit is None or measure(unit)[1] != value.dimension:
                unit = base_unit(value.dimension)
            return f"{show_number(value.amount / measure(unit)[0], decimal)} {unit}"
        case datetime.date():
            return value.isoformat()
        case Weekday():
            return WEEKDAYS[value.number]
        case TimeOfDay():
            hour, minute, second = value.seconds // 3600, value.seconds // 60 % 60, value.seconds % 60
            return f"{hour:02}:{minute:02}" + (f":{second:02}" if second else "")
        case frozenset():
            items = sorted((show(item, unit, decimal) for item in value), key=lambda text: (len(text), text))
            return "{" + ", ".join(items) + "}"
        case tuple():
            return "[" + ", ".join(show(item, unit, decimal) for item in value) + "]"


def show_number(value: Fraction, decimal: bool = False) -> str:
    """`7`, `-3/4` or, as a decimal, `-0.75`."""
    if value.denominator == 1:
        return str(value.numerator)
    places = _places(value.denominator) if decimal else 0
    if not places:
        return f"{value.numerator}/{value.denominator}"
    sign = "-" if value < 0 else ""
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    return f"{sign}{digits[:-places]}.{digits[-places:]}"


def _places(denominator: int) -> int:
    """How many decimals a fraction needs; 0 if it never ends or needs more than `MAX_PLACES`."""
    return next((places for places in range(1, MAX_PLACES + 1) if 10**places % denominator == 0), 0)
