"""Evaluates a term without unknowns. `arithmetic`, `dates` and `functions` compute the operations.

Each operation bounds the size of its result. A `WorkBudget` bounds how many operations a line may ask for.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from tuili.steps.language import terms
from tuili.steps.language.grammar import WEEKDAYS
from tuili.steps.language.terms import Term
from tuili.steps.language.units import conversion
from tuili.steps.values import arithmetic, dates
from tuili.steps.values.functions import call
from tuili.steps.values.values import TimeOfDay, Value, Weekday, compare, describe_type, quantity
from tuili.steps.verdict import LimitExceeded, Undecided, Undefined
from tuili.steps.work_budget import WorkBudget

MAX_EVALUATION_WORK = 1500
"""The maximum work for one line: one unit per node of a term, and per element of a collection that a node gives."""
CALL_WORK = 5
"""The work for calling a function, in nodes."""
_NO_NAMES: Mapping[str, Value] = {}
_COLLECTIONS = (tuple, frozenset)


def evaluation_budget() -> WorkBudget:
    """A fresh budget for the work of evaluating one line."""
    return WorkBudget(MAX_EVALUATION_WORK, "too many values to work out")


def evaluate(term: Term, names: Mapping[str, Value] = _NO_NAMES, budget: WorkBudget | None = None) -> Value:
    """The exact value of a term. `names` maps the names that it may use to their values.

    The terms of one line share a `budget`; without a budget the term gets a fresh one. Raises `Undefined`, `Undecided`
    (also for an unknown name) or `LimitExceeded`.
    """
    handler = _HANDLERS.get(type(term))
    if handler is None:
        raise Undecided("a statement that has no value of its own")
    budget = budget or evaluation_budget()
    value = handler(term, names, budget)
    budget.spend(1 + len(value) if isinstance(value, _COLLECTIONS) else 1)
    return value


def truth(term: Term, names: Mapping[str, Value], budget: WorkBudget | None = None) -> bool:
    """The value of a term that must be true or false. Raises `Undefined` for any other value."""
    value = evaluate(term, names, budget)
    if not isinstance(value, bool):
        raise Undefined(f"{describe_type(value)} where a truth value is expected")
    return value


def ratio(term: terms.Ratio) -> Fraction:
    """The value of a fraction literal."""
    if not term.denominator:
        raise Undefined("division by zero")
    return Fraction(term.numerator, term.denominator)


def _name(term: terms.Name, names: Mapping[str, Value], _: WorkBudget) -> Value:
    try:
        return names[term.id]
    except KeyError:
        raise Undecided(f"unknown name {term.id!r}") from None


def _measure(term: terms.Measure, *_: object) -> Value:
    size, dimension = conversion(term.unit)
    number = ratio(term.number) if isinstance(term.number, terms.Ratio) else term.number.value
    return quantity(arithmetic.bounded(number * size), dimension)


def _day(term: terms.Day, *_: object) -> Value:
    try:
        return datetime.date(term.year, term.month, term.day)
    except ValueError:
        raise Undefined(f"there is no day {term.year:04}-{term.month:02}-{term.day:02}") from None


def _clock(term: terms.Clock, *_: object) -> Value:
    second = term.second or 0
    if term.hour > 23 or term.minute > 59 or second > 59:
        raise Undefined("a time of day runs from 00:00 to 23:59")
    return TimeOfDay(term.hour * 3600 + term.minute * 60 + second)


def _collection(term: terms.Collection, names: Mapping[str, Value], budget: WorkBudget) -> Value:
    items = arithmetic.check_elements(tuple(evaluate(item, names, budget) for item in term.items))
    return frozenset(items) if term.brackets == "{}" else items


def _index(term: terms.Index, names: Mapping[str, Value], budget: WorkBudget) -> Value:
    sequence = evaluate(term.sequence, names, budget)
    if not isinstance(sequence, tuple):
        raise Undefined(f"{describe_type(sequence)} has no positions")
    position = arithmetic.natural(evaluate(term.position, names, budget))
    if position >= len(sequence):
        raise Undefined(f"a list of {len(sequence)} has no position {position}")
    return sequence[position]


def _unary(term: terms.Unary, names: Mapping[str, Value], budget: WorkBudget) -> Value:
    if term.op == "not":
        return not truth(term.operand, names, budget)
    value = evaluate(term.operand, names, budget)
    if term.op == "-":
        return arithmetic.negate(value)
    if term.op == "!":
        return Fraction(arithmetic.factorial(arithmetic.integer(value)))
    return arithmetic.divide(value, Fraction(100))


def _compare(term: terms.Compare, names: Mapping[str, Value], budget: WorkBudget) -> Value:
    left, result = evaluate(term.first, names, budget), True
    for relation, part in term.rest:
        right = evaluate(part, names, budget)
        result = compare(left, relation, right) and result
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


def _two_sets(left: Value, right: Value) -> tuple[frozenset[Value], frozenset[Value]]:
    if not isinstance(left, frozenset) or not isinstance(right, frozenset):
        raise Undefined(f"an operation on sets was given {describe_type(left)} and {describe_type(right)}")
    arithmetic.check_elements((*left, *right))
    return left, right


def _union(left: Value, right: Value) -> Value:
    a, b = _two_sets(left, right)
    return a | b


def _intersection(left: Value, right: Value) -> Value:
    a, b = _two_sets(left, right)
    return a & b


def _difference(left: Value, right: Value) -> Value:
    a, b = _two_sets(left, right)
    return a - b


def _subset(left: Value, right: Value) -> Value:
    a, b = _two_sets(left, right)
    return a <= b


def _in(left: Value, right: Value) -> Value:
    if not isinstance(right, (frozenset, tuple)):
        raise Undefined(f"{describe_type(right)} has no elements")
    arithmetic.check_elements((left, *right))
    return left in right


_BINARY: dict[str, Callable[[Value, Value], Value]] = {
    "+": _add,
    "-": _subtract,
    "*": arithmetic.multiply,
    "/": arithmetic.divide,
    "^": arithmetic.power,
    "div": arithmetic.floor_divide,
    "mod": arithmetic.modulo,
    "union": _union,
    "inter": _intersection,
    "minus": _difference,
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


def _binary(term: terms.Binary, names: Mapping[str, Value], budget: WorkBudget) -> Value:
    logic = _LOGIC.get(term.op)
    if logic:
        return logic(truth(term.left, names, budget), truth(term.right, names, budget))
    return _BINARY[term.op](evaluate(term.left, names, budget), evaluate(term.right, names, budget))


def _call(term: terms.Call, names: Mapping[str, Value], budget: WorkBudget) -> Value:
    budget.spend(CALL_WORK - 1)
    match term:
        case terms.Call("days_in", (terms.Month() as month,)):
            return Fraction(dates.days_in_month(month.year, month.month))
    return call(term.function, tuple(evaluate(argument, names, budget) for argument in term.arguments))


def _sum(term: terms.Sum, names: Mapping[str, Value], budget: WorkBudget) -> Value:
    low, high = (arithmetic.integer(evaluate(part, names, budget)) for part in (term.low, term.high))
    if high - low >= arithmetic.MAX_ELEMENTS:
        raise LimitExceeded("a sum of too many terms")
    total: Value = Fraction(0)
    for k in range(low, high + 1):
        total = arithmetic.add(total, evaluate(term.body, {**names, term.variable: Fraction(k)}, budget))
    return total


_HANDLERS: dict[type, Callable[[Any, Mapping[str, Value], WorkBudget], Value]] = {
    terms.Number: lambda term, *_: term.value,
    terms.Ratio: lambda term, *_: ratio(term),
    terms.Measure: _measure,
    terms.Boolean: lambda term, *_: term.value,
    terms.Day: _day,
    terms.Clock: _clock,
    terms.WeekdayName: lambda term, *_: Weekday(WEEKDAYS.index(term.name)),
    terms.Name: _name,
    terms.Unary: _unary,
    terms.Binary: _binary,
    terms.Compare: _compare,
    terms.Call: _call,
    terms.Collection: _collection,
    terms.Index: _index,
    terms.Sum: _sum,
}
