"""Decides a claim: evaluates its parts and compares neighbouring ones. A claim `x = …` may be a definition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import takewhile

from tuili.steps.context import Context
from tuili.steps.language import terms
from tuili.steps.language.grammar import CONSTANTS, NEGATED_RELATION
from tuili.steps.language.printer import render_term
from tuili.steps.language.terms import Term
from tuili.steps.theories import linear
from tuili.steps.values.classification import kind_of_terms, kind_of_values
from tuili.steps.values.evaluate import evaluate, evaluation_budget, truth
from tuili.steps.values.rendering import render_value_like
from tuili.steps.values.values import Value, comparable, compare, describe_type
from tuili.steps.verdict import Status, StepFault, Undecided, Verdict


def decide(claim: terms.Claim, context: Context) -> Verdict:
    """The verdict on a claim."""
    relation = claim.relation
    if relation in context.given or relation in context.conclusions:
        return Verdict(Status.VALID, kind_of_terms((relation,)), witness={"rule": "restated"})
    if isinstance(relation, terms.Binary):
        return _membership(relation, context)
    head, (first_relation, _) = relation.first, relation.rest[0]
    if first_relation == "=" and isinstance(head, terms.Name) and head.id not in context.values:
        return _definition(head.id, relation.rest, context)
    return _compare(head, relation.rest, context.values)


def _membership(relation: terms.Binary, context: Context) -> Verdict:
    if truth(relation, context.values):
        return Verdict(Status.VALID, "set", witness={"rule": relation.op})
    return Verdict(Status.INVALID, "set", "the relation does not hold", f"not ({render_term(relation)})")


def _compare(first: Term, rest: Sequence[tuple[str, Term]], values: Mapping[str, Value]) -> Verdict:
    """The verdict on a chain of relations between terms that all have values."""
    parts = (first, *(term for _, term in rest))
    kind = kind_of_terms(parts)
    try:
        budget = evaluation_budget()
        results = [evaluate(part, values, budget) for part in parts]
        kind = kind_of_values(kind, results)
        for i, (relation, _) in enumerate(rest):
            if relation == "=" and not comparable(results[i], results[i + 1]):
                reason = f"{describe_type(results[i])} is not {describe_type(results[i + 1])}"
                return Verdict(Status.INVALID, kind, reason, render_value_like(results[i], parts[i + 1], parts[i]))
            if not compare(results[i], relation, results[i + 1]):
                return _failure(kind, parts[i], results[i], relation, parts[i + 1])
    except StepFault as fault:
        return Verdict(fault.status, kind, str(fault))
    witness = {"rule": "evaluation", "value": render_value_like(results[-1], parts[-1])}
    return Verdict(Status.VALID, kind, witness=witness)


def _failure(kind: str, term: Term, value: Value, relation: str, other: Term) -> Verdict:
    left, right = render_term(term), render_term(other)
    if relation in ("=", "=="):
        right_value = render_value_like(value, other, term)
        return Verdict(Status.INVALID, kind, f"{left} is {right_value}, not {right}", right_value)
    expected = f"{left} {NEGATED_RELATION[relation]} {right}"
    return Verdict(Status.INVALID, kind, f"{left} {relation} {right} does not hold", expected)


def _definition(name: str, rest: Sequence[tuple[str, Term]], context: Context) -> Verdict:
    """The verdict on a chain that begins with a name without a value: a definition, unless the problem has the name."""
    if any(name in terms.names(term) for _, term in rest):
        raise Undecided(f"{name} is defined by itself")
    verdict = _compare(rest[0][1], rest[1:], context.values)
    if verdict.status is not Status.VALID:
        return verdict
    if context.belongs_to_problem(name):
        return _determined(name, rest[0][1], context)
    if name in CONSTANTS:
        raise Undecided(f"{name} is a constant: no line may choose its value")
    if len(rest) < 2 or rest[1][0] != "=":
        raise Undecided("a definition with nothing to check")
    equal = takewhile(lambda part: part[0] == "=", rest)
    if all(_is_repeated(rest[0][1], term) for _, term in equal):
        raise Undecided("a definition that only repeats one part: nothing to check")
    return replace(verdict, witness={"rule": "definition", "name": name, "value": verdict.witness["value"]})


def _is_repeated(term: Term, other: Term) -> bool:
    """Whether two terms are written alike, ignoring zeros at the end of decimals: `5` and `5.0`."""
    match term, other:
        case terms.Number(), terms.Number():
            return term.value == other.value
        case terms.Measure(), terms.Measure():
            return term.unit == other.unit and _is_repeated(term.number, other.number)
        case (terms.Unary(), terms.Unary()) | (terms.Binary(), terms.Binary()):
            operands = map(_is_repeated, terms.children(term), terms.children(other))
            return terms.operators(term) == terms.operators(other) and all(operands)
    return term == other


def _determined(name: str, term: Term, context: Context) -> Verdict:
    """The verdict on a value for a name of the problem: the value must follow from the facts."""
    statements = (*context.given, *context.conclusions)
    budget = evaluation_budget()
    facts = [statement for statement in statements if linear.is_linear(statement, budget)]
    value = evaluate(term, context.values)
    if isinstance(value, Fraction):
        decision = linear.decide(facts, terms.Compare(terms.Name(name), (("=", terms.Number(value)),)), budget)
        if decision.follows and decision.consistent:
            witness = {"rule": "facts", "premises": tuple(render_term(facts[i]) for i in decision.used)}
            return Verdict(Status.VALID, "linear", witness=witness)
        # A solution of the linear facts is a counter-model only if nothing else constrains their unknowns.
        unknowns = frozenset().union(*map(terms.names, facts))
        others = context.execution.variables.union(*(terms.names(term) for term in statements if term not in facts))
        alone = unknowns.isdisjoint(others) and not context.may_be_given(terms.Name(name))
        if not decision.follows and name in unknowns and alone:
            reason = f"{name} belongs to the problem, and the facts do not force this value"
            return Verdict(Status.INVALID, "linear", reason, witness={"counter_model": decision.counter_model})
    raise Undecided(f"{name} belongs to the problem: its value must be inferred")
