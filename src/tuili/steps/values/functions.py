"""The named functions of the step language: `gcd(12, 18)`, `C(5, 2)`, `weekday(2024-03-01)`."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from fractions import Fraction

from tuili.steps.values import arithmetic, dates
from tuili.steps.values.arithmetic import integer, natural
from tuili.steps.values.values import Quantity, Value, Weekday, holds, sort
from tuili.steps.verdict import Undecided, Undefined


def call(function: str, arguments: tuple[Value, ...]) -> Value:
    """The value of a function. Raises `Undefined` for arguments outside its domain."""
    arity, compute = FUNCTIONS[function]
    if arity is not None and len(arguments) != arity:
        raise Undefined(f"{function} takes {arity} argument{'s' if arity > 1 else ''}, not {len(arguments)}")
    return compute(*arguments)


def _items(values: tuple[Value, ...]) -> tuple[Value, ...]:
    """The arguments themselves, or the elements of the only one."""
    if len(values) == 1 and isinstance(values[0], (tuple, frozenset)):
        values = tuple(values[0])
    if not values:
        raise Undefined("a function of nothing")
    return values


def _integers(values: tuple[Value, ...]) -> list[int]:
    return [integer(value) for value in _items(values)]


def _extreme(relation: str) -> Callable[..., Value]:
    def pick(*values: Value) -> Value:
        best, *others = _items(values)
        for item in others:
            if holds(item, relation, best):
                best = item
        return best

    return pick


def _sum(*values: Value) -> Value:
    if values == ((),) or values == (frozenset(),):
        return Fraction(0)
    total, *others = _items(values)
    for item in others:
        total = arithmetic.add(total, item)
    return total


def _size(kind: type) -> Callable[..., Value]:
    def size(value: Value) -> Value:
        if not isinstance(value, (tuple, frozenset)) or type(value) is not kind:
            raise Undefined(f"{sort(value)} where {'a set' if kind is frozenset else 'a list'} is expected")
        return Fraction(len(value))

    return size


def _floor(value: Value) -> Fraction:
    if isinstance(value, Quantity):
        raise Undecided("a quantity is rounded only in a unit: round its number")
    if not isinstance(value, Fraction):
        raise Undefined(f"{sort(value)} cannot be rounded")
    return Fraction(value.numerator // value.denominator)


def _ceil(value: Value) -> Value:
    return -_floor(arithmetic.negative(value))


def _absolute(value: Value) -> Value:
    return arithmetic.negative(value) if holds(value, "<", arithmetic.multiply(value, Fraction(0))) else value


def _weekday(value: Value) -> Value:
    if not isinstance(value, datetime.date):
        raise Undefined(f"{sort(value)} has no weekday")
    return Weekday(value.weekday())


# The number of arguments (None: one or more, or one set or list) and the computation.
FUNCTIONS: dict[str, tuple[int | None, Callable[..., Value]]] = {
    "gcd": (None, lambda *values: Fraction(arithmetic.gcd(_integers(values)))),
    "lcm": (None, lambda *values: Fraction(arithmetic.lcm(_integers(values)))),
    "C": (2, lambda n, k: Fraction(arithmetic.binomial(natural(n), natural(k)))),
    "P": (2, lambda n, k: Fraction(arithmetic.falling(natural(n), natural(k)))),
    "floor": (1, _floor),
    "ceil": (1, _ceil),
    "abs": (1, _absolute),
    "min": (None, _extreme("<")),
    "max": (None, _extreme(">")),
    "sqrt": (1, lambda value: arithmetic.root(value, 2)),
    "size": (1, _size(frozenset)),
    "len": (1, _size(tuple)),
    "sum": (None, _sum),
    "days_in": (1, lambda year: Fraction(dates.days_in_year(integer(year)))),
    "weekday": (1, _weekday),
}
