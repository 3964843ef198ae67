"""The value of a term without unknowns. Operations are left to `arithmetic`, `dates` and `functions`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from tuili.steps import arithmetic, dates
from tuili.steps.functions import call
from tuili.steps.terms import (
    WEEKDAYS,
    Binary,
    Boolean,
    Call,
    Clock,
    Collection,
    Compare,
    Day,
    Index,
    Measure,
    Month,
    Name,
    Number,
    Ratio,
    Term,
    Unary,
    WeekdayName,
    calendar_date,
)
from tuili.steps.units import measure
from tuili.steps.values import TimeOfDay, Value, Weekday, holds, quantity, sort
from tuili.steps.verdict import Undecided, Undefined

_NO_NAMES: Mapping[str, Value] = {}


def evaluate(term: Term, names: Mapping[str, Value] = _NO_NAMES) -> Value:
    """The exact value of a term. Raises `Undefined`, `Undecided` (also for unknown names) or `OverBudget`."""
    handler = _HANDLERS.get(type(term))
    if handler is None:
        raise Undecided("a month has no value of its own")
    return handler(term, names)


def truth(term: Term, names: Mapping[str, Value]) -> bool:
    """The value of a term that must be true or false."""
    value = evaluate(term, names)
    if not isinstance(value, bool):
        raise Undefined(f"{sort(value)} where a truth value is expected")
    return value


def ratio(term: Ratio) -> Fraction:
    """The value of a fraction literal."""
    if not term.denominator:
        raise Undefined("division by zero")
    return Fraction(term.numerator, term.denominator)


def _name(term: Name, names: Mapping[str, Value]) -> Value:
    try:
        return names[term.id]
    except KeyError:
        raise Undecided(f"unknown name {term.id!r}") from None


def _measure(term: Measure, _: Mapping[str, Value]) -> Value:
    size, dimension = measure(term.unit)
    number = ratio(term.number) if isinstance(term.number, Ratio) else term.number.value
    return quantity(arithmetic.bounded(number * size), dimension)


def _day(term: Day, _: Mapping[str, Value]) -> Value:
    date = calendar_date(term)
    if date is None:
        raise Undefined(f"there is no day {term.year:04}-{term.month:02}-{term.day:02}")
    return date


def _clock(term: Clock, _: Mapping[str, Value]) -> Value:
    second = term.second or 0
    if term.hour > 23 or term.minute > 59 or second > 59:
        raise Undefined("a time of day runs from 00:00 to 23:59")
    return TimeOfDay(term.hour * 3600 + term.minute * 60 + second)


def _collection(term: Collection, names: Mapping[str, Value]) -> Value:
    items = arithmetic.uniform(tuple(evaluate(item, names) for item in term.items))
    return frozenset(items) if term.brackets == "{}" else items


def _index(term: Index, names: Mapping[str, Value]) -> Value:
    sequence = evaluate(term.sequence, names)
    if not isinstance(sequence, tuple):
        raise Undefined(f"{sort(sequence)} has no positions")
    position = arithmetic.natural(evaluate(term.position, names))
    if position >= len(sequence):
        raise Undefined(f"a list of {len(sequence)} has no position {position}")
    return sequence[position]


def _unary(term: Unary, names: Mapping[str, Value]) -> Value:
    if term.op == "not":
        return not truth(term.operand, names)
    value = evaluate(term.operand, names)
    if term.op == "-":
        return arithmetic.negative(value)
    if term.op == "!":
        return Fraction(arithmetic.factorial(arithmetic.natural(value)))
    return arithmetic.divide(value, Fraction(100))


def _compare(term: Compare, names: Mapping[str, Value]) -> Value:
    left, result = evaluate(term.first, names), True
    for relation, part in term.rest:
        right = evaluate(part, names)
        result = holds(left, relation, right) and result
        left = right
    return result


def _add(left: Value, right: Value) -> Value:
    for start, by in ((left, right), (right, left)):
        moved = dates.shift(start, by, 1)
        if moved is not None:
            return moved
    return arithmetic.add(left, right)


def _subtract(left: Value, right: Value) -> Value:
    moved = dates.shift(left, right, -1)
    if moved is None:
        moved = dates.difference(left, right)
    return arithmetic.subtract(left, right) if moved is None else moved


def _sets(left: Value, right: Value) -> tuple[frozenset[Value], frozenset[Value]]:
    if not isinstance(left, frozenset) or not isinstance(right, frozenset):
        raise Undefined(f"an operation on sets was given {sort(left)} and {sort(right)}")
    arithmetic.uniform((*left, *right))
    return left, right


def _union(left: Value, right: Value) -> Value:
    a, b = _sets(left, right)
    return a | b


def _intersection(left: Value, right: Value) -> Value:
    a, b = _sets(left, right)
    return a & b


def _minus(left: Value, right: Value) -> Value:
    a, b = _sets(left, right)
    return a - b


def _subset(left: Value, right: Value) -> Value:
    a, b = _sets(left, right)
    return a <= b


def _in(left: Value, right: Value) -> Value:
    if not isinstance(right, (frozenset, tuple)):
        raise Undefined(f"{sort(right)} has no elements")
    arithmetic.uniform((left, *right))
    return left in right


_BINARY: dict[str, Callable[[Value, Value], Value]] = {
    "+": _add,
    "-": _subtract,
    "*": arithmetic.multiply,
    "/": arithmetic.divide,
    "^": arithmetic.power,
    "div": arithmetic.quotient,
    "mod": arithmetic.rest,
    "union": _union,
    "inter": _intersection,
    "minus": _minus,
    "subset": _subset,
    "in": _in,
}
_LOGIC: dict[str, Callable[[bool, bool], bool]] = {
    "and": lambda left, right: left and right,
    "or": lambda left, right: left or right,
    "xor": lambda left, right: left is not right,
    "->": lambda left, right: right or not left,
    "<->": lambda left, right: left is right,
}


def _binary(term: Binary, names: Mapping[str, Value]) -> Value:
    logic = _LOGIC.get(term.op)
    if logic:
        return logic(truth(term.left, names), truth(term.right, names))
    return _BINARY[term.op](evaluate(term.left, names), evaluate(term.right, names))


def _call(term: Call, names: Mapping[str, Value]) -> Value:
    match term:
        case Call("days_in", (Month() as month,)):
            return Fraction(dates.days_in_month(month.year, month.month))
    return call(term.function, tuple(evaluate(argument, names) for argument in term.arguments))


_HANDLERS: dict[type, Callable[[Any, Mapping[str, Value]], Value]] = {
    Number: lambda term, _: term.value,
    Ratio: lambda term, _: ratio(term),
    Measure: _measure,
    Boolean: lambda term, _: term.value,
    Day: _day,
    Clock: _clock,
    WeekdayName: lambda term, _: Weekday(WEEKDAYS.index(term.name)),
    Name: _name,
    Unary: _unary,
    Binary: _binary,
    Compare: _compare,
    Call: _call,
    Collection: _collection,
    Index: _index,
}
