"""Decides a claim: evaluates its parts and compares neighbours; a name at its head may be a definition."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from fractions import Fraction

from tuili.steps import linear
from tuili.steps.context import Context
from tuili.steps.evaluate import evaluate, truth
from tuili.steps.printer import show_term
from tuili.steps.terms import (
    Binary,
    Boolean,
    Call,
    Claim,
    Clock,
    Collection,
    Compare,
    Day,
    Measure,
    Month,
    Name,
    Number,
    Ratio,
    Term,
    WeekdayName,
    children,
    is_boolean,
    names,
)
from tuili.steps.units import Unit
from tuili.steps.values import Quantity, TimeOfDay, Value, Weekday, comparable, holds, show, sort
from tuili.steps.verdict import Status, StepFault, Undecided, Undefined, Verdict

_OPPOSITE = {"=": "!=", "!=": "=", "==": "!=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}


def decide(claim: Claim, context: Context) -> Verdict:
    """The verdict on a claim."""
    relation = claim.relation
    if isinstance(relation, Binary):
        return _membership(relation, context)
    if isinstance(relation.first, Name) and relation.rest[0][0] == "=" and relation.first.id not in context.values:
        return _definition(relation.first.id, relation, context)
    return compare(relation.first, relation.rest, context.values)


def _membership(relation: Binary, context: Context) -> Verdict:
    if truth(relation, context.values):
        return Verdict(Status.VALID, "set", witness={"rule": relation.op})
    return Verdict(Status.INVALID, "set", "the relation does not hold", f"not ({show_term(relation)})")


def compare(first: Term, rest: Sequence[tuple[str, Term]], values: Mapping[str, Value]) -> Verdict:
    """The verdict on a chain of relations between terms that all have values."""
    parts = (first, *(term for _, term in rest))
    kind = kind_of(parts)
    try:
        found = [evaluate(part, values) for part in parts]
        kind = _kind_of_values(found, kind)
        for i, (op, _) in enumerate(rest):
            left, right = found[i], found[i + 1]
            if not comparable(left, right):
                reason = f"{sort(left)} cannot be compared with {sort(right)}"
                return Verdict(Status.INVALID, kind, reason, _shown(left, parts[i + 1]) if op == "=" else None)
            if not holds(left, op, right):
                return _failure(kind, parts[i], left, op, parts[i + 1])
    except StepFault as fault:
        return Verdict(fault.status, kind, str(fault))
    return Verdict(Status.VALID, kind, witness={"rule": "evaluation", "value": _shown(found[-1], parts[-1])})


def _failure(kind: str, term: Term, left: Value, op: str, right: Term) -> Verdict:
    if op in ("=", "=="):
        value = _shown(left, right)
        return Verdict(Status.INVALID, kind, f"{show_term(term)} is {value}, not {show_term(right)}", value)
    reason = f"{show_term(term)} {op} {show_term(right)} does not hold"
    return Verdict(Status.INVALID, kind, reason, f"{show_term(term)} {_OPPOSITE[op]} {show_term(right)}")


def _definition(name: str, relation: Compare, context: Context) -> Verdict:
    """A name without a value at the head of a chain: a free definition, or a value that the facts must determine."""
    if name in context.unknowns:
        return _determined(name, relation, context)
    if name in names(Compare(relation.rest[0][1], relation.rest[1:])):
        raise Undecided(f"{name} is defined by itself")
    equal_parts = next((i for i, (op, _) in enumerate(relation.rest) if op != "="), len(relation.rest))
    verdict = compare(relation.rest[0][1], relation.rest[1:], context.values)
    if verdict.status is Status.VALID:
        if equal_parts < 2:
            raise Undecided("a definition with nothing to check")
        value = verdict.witness["value"]
        return Verdict(Status.VALID, verdict.kind, witness={"rule": "definition", "name": name, "value": value})
    return verdict


def _determined(name: str, relation: Compare, context: Context) -> Verdict:
    """A name of the problem: its value must follow from the facts, so it cannot be set at will."""
    verdict = compare(relation.rest[0][1], relation.rest[1:], context.values)
    if verdict.status is not Status.VALID:
        return verdict
    facts = [term for term in (*context.statements.values(), *context.conclusions) if linear.is_linear(term)]
    value = evaluate(relation.rest[0][1], context.values)
    if isinstance(value, Fraction) and facts:
        goal = Compare(Name(name), (("=", Number(value)),))
        decision = linear.decide(facts, goal)
        if decision.follows and decision.consistent:
            witness = {"rule": "facts", "premises": tuple(show_term(facts[i]) for i in decision.used)}
            return Verdict(Status.VALID, "linear", witness=witness)
    return Verdict(Status.INVALID, verdict.kind, f"{name} belongs to the problem: its value must be inferred")


def _shown(value: Value, like: Term) -> str:
    return show(value, _unit(like))


def _unit(term: Term) -> Unit | None:
    """The unit to print a value in: that of the first quantity written in a term."""
    if isinstance(term, Measure):
        return term.unit
    return next((unit for unit in map(_unit, children(term)) if unit), None)


_KINDS_BY_TERM: dict[type, str] = {
    Measure: "quantity",
    Boolean: "boolean",
    Compare: "boolean",
    Day: "date",
    Month: "date",
    Clock: "date",
    WeekdayName: "date",
    Collection: "set",
}
_KINDS_BY_VALUE: dict[type, str] = {
    Quantity: "quantity",
    bool: "boolean",
    datetime.date: "date",
    Weekday: "date",
    TimeOfDay: "date",
    frozenset: "set",
    tuple: "set",
}
_RANK = ("arithmetic", "quantity", "boolean", "set", "date")


def kind_of(parts: Sequence[Term]) -> str:
    """The theory of a claim: the most special kind of literal in it."""
    best = 0
    stack = list(parts)
    while stack:
        term = stack.pop()
        if type(term) is Number:
            continue
        best = max(best, _RANK.index(_KINDS_BY_TERM.get(type(term), "arithmetic")))
        stack.extend(children(term))
    return _RANK[best]


def _kind_of_values(found: Sequence[Value], kind: str) -> str:
    kinds = (kind, *(_KINDS_BY_VALUE.get(type(value), "arithmetic") for value in found))
    return max(kinds, key=_RANK.index)
