"""What the named functions of the step language compute: `gcd(12, 18)`, `C(5, 2)`, `weekday(2024-03-01)`.

`language.grammar` lists their names and numbers of arguments.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from fractions import Fraction

from tuili.steps.language.grammar import FUNCTIONS
from tuili.steps.values import arithmetic, dates
from tuili.steps.values.arithmetic import integer, natural
from tuili.steps.values.values import Quantity, Value, Weekday, compare, describe_type
from tuili.steps.verdict import Undecided, Undefined


def call(function: str, arguments: tuple[Value, ...]) -> Value:
    """The value of a function. Raises `Undefined` for a wrong number of arguments or one outside its domain."""
    arity = FUNCTIONS[function]
    if arity is not None and len(arguments) != arity:
        raise Undefined(f"{function} takes {arity} argument{'s' if arity > 1 else ''}, not {len(arguments)}")
    return COMPUTATIONS[function](*arguments)


def _items(values: tuple[Value, ...]) -> tuple[Value, ...]:
    """The arguments, or the elements of the only argument if that is a set or list."""
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
            if compare(item, relation, best):
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
            raise Undefined(f"{describe_type(value)} where {'a set' if kind is frozenset else 'a list'} is expected")
        return Fraction(len(value))

    return size


def _floor(value: Value) -> Fraction:
    if isinstance(value, Quantity):
        raise Undecided("a quantity is rounded only in a unit: round its number")
    if not isinstance(value, Fraction):
        raise Undefined(f"{describe_type(value)} cannot be rounded")
    return Fraction(value.numerator // value.denominator)


def _ceil(value: Value) -> Value:
    return -_floor(arithmetic.negate(value))


def _absolute(value: Value) -> Value:
    return arithmetic.negate(value) if compare(value, "<", arithmetic.multiply(value, Fraction(0))) else value


def _weekday(value: Value) -> Value:
    if not isinstance(value, datetime.date):
        raise Undefined(f"{describe_type(value)} has no weekday")
    return Weekday(value.weekday())


COMPUTATIONS: dict[str, Callable[..., Value]] = {
    "gcd": lambda *values: Fraction(arithmetic.gcd(_integers(values))),
    "lcm": lambda *values: Fraction(arithmetic.lcm(_integers(values))),
    "C": lambda n, k: Fraction(arithmetic.binomial(natural(n), natural(k))),
    "P": lambda n, k: Fraction(arithmetic.falling_factorial(natural(n), natural(k))),
    "floor": _floor,
    "ceil": _ceil,
    "abs": _absolute,
    "min": _extreme("<"),
    "max": _extreme(">"),
    "sqrt": lambda value: arithmetic.root(value, 2),
    "size": _size(frozenset),
    "len": _size(tuple),
    "sum": _sum,
    "days_in": lambda year: Fraction(dates.days_in_year(integer(year))),
    "weekday": _weekday,
}
