"""Prints steps canonically, with the fewest brackets: `parse(render(step)) == step` for every step read."""

from __future__ import annotations

import re
from fractions import Fraction

from tuili.steps.language.parser import BINDING, COMPARISON, NEGATIVE, NOT, POSTFIX, RIGHT_ASSOCIATIVE
from tuili.steps.language.terms import (
    MEMBERSHIP,
    Binary,
    Boolean,
    Call,
    Categorical,
    Claim,
    Clock,
    Collection,
    Compare,
    Day,
    Index,
    Inference,
    Measure,
    Month,
    Name,
    Number,
    Prose,
    Ratio,
    Step,
    Term,
    Trace,
    Unary,
    WeekdayName,
    is_boolean,
)

_ATOM = POSTFIX + 1
_FRACTION_FIRST = re.compile(r"-*[0-9]+/")
_NEVER_BARE = 0  # how a comparison binds inside a claim, where `=` is loosest: it always needs brackets


def render(step: Step) -> str:
    """The canonical text of a step; a line that could not be read is returned as it was."""
    match step:
        case Claim():
            return _claim(step)
        case Trace():
            return f"{step.label}: {_claim(step.claim)}"
        case Inference():
            return f"{', '.join(map(show_term, step.premises))} => {show_term(step.conclusion)}"
        case Prose():
            return step.text


def show_term(term: Term) -> str:
    """The canonical text of a statement: `x = 2 or x = 3`."""
    return _show(term, COMPARISON)


def _claim(claim: Claim) -> str:
    relation = claim.relation
    if isinstance(relation, Binary):
        return _show(relation, _NEVER_BARE)
    parts = (relation.first, *(term for _, term in relation.rest))
    loose = all(op == "=" for op, _ in relation.rest)
    # A comparison may stand bare beside `=` only if another part shows that truth values are compared.
    bare = loose and any(is_boolean(part) and not isinstance(part, Compare) for part in parts)

    def side(term: Term) -> str:
        if isinstance(term, Compare) and bare and all(op != "=" for op, _ in term.rest):
            return _show(term, _NEVER_BARE)
        return _at_least(term, 1 if loose else COMPARISON + 1, _NEVER_BARE)

    return "".join((side(relation.first), *(f" {op} {side(term)}" for op, term in relation.rest)))


def _show(term: Term, comparison: int) -> str:
    """The text of a term. `comparison` is how tightly a comparison binds: `COMPARISON` or `_NEVER_BARE`."""

    def operand(part: Term, binding: int) -> str:
        return _at_least(part, binding, comparison)

    def listed(parts: tuple[Term, ...]) -> str:
        return ", ".join(_show(part, COMPARISON) for part in parts)

    match term:
        case Number():
            return _number(term)
        case Ratio():
            return f"{term.numerator}/{term.denominator}"
        case Measure():
            return f"{_show(term.number, comparison)} {term.unit}"
        case Boolean():
            return str(term.value).lower()
        case Day():
            return f"{term.year:04}-{term.month:02}-{term.day:02}"
        case Month():
            return f"{term.year:04}-{term.month:02}"
        case Clock():
            return f"{term.hour:02}:{term.minute:02}" + ("" if term.second is None else f":{term.second:02}")
        case WeekdayName():
            return term.name
        case Name():
            return term.id
        case Unary(op="not"):
            return f"not {operand(term.operand, NOT)}"
        case Unary(op="-"):
            return f"-{operand(term.operand, NEGATIVE)}"
        case Unary(op="!", operand=Unary(op="!") as inner):
            return f"({_show(inner, comparison)})!"
        case Unary():
            return _bracket_literal(term.operand, operand(term.operand, POSTFIX)) + term.op
        case Binary():
            return _binary(term, comparison)
        case Compare():
            sides = (f" {op} {operand(part, COMPARISON + 1)}" for op, part in term.rest)
            return operand(term.first, COMPARISON + 1) + "".join(sides)
        case Call():
            return f"{term.function}({listed(term.arguments)})"
        case Collection():
            return term.brackets[0] + listed(term.items) + term.brackets[1]
        case Index():
            return f"{operand(term.sequence, POSTFIX)}[{_show(term.position, COMPARISON)}]"
        case Categorical():
            no = "not " if term.negated else ""
            return f"{term.quantifier} {term.subject} are {no}{term.predicate}"


def _binary(term: Binary, comparison: int) -> str:
    binding = BINDING[term.op]
    right_first = term.op in RIGHT_ASSOCIATIVE
    left = _at_least(term.left, binding + (right_first or term.op in MEMBERSHIP), comparison)
    right = _at_least(term.right, binding + (not right_first), comparison)
    if term.op == "^":
        left, right = _bracket_literal(term.left, left), _bracket_literal(term.right, right)
        return f"{left}^{right}"
    if term.op in ("/", "mod", "div") and _FRACTION_FIRST.match(right):
        right = f"({right})"
    return f"{left} {term.op} {right}"


def _at_least(term: Term, binding: int, comparison: int) -> str:
    """The text of a term as an operand, in brackets if it binds less tightly than its place wants."""
    own = comparison if isinstance(term, Compare) else _binding(term)
    return _show(term, comparison) if own >= binding else f"({_show(term, COMPARISON)})"


def _bracket_literal(term: Term, text: str) -> str:
    return f"({text})" if isinstance(term, (Ratio, Measure)) else text


def _binding(term: Term) -> int:
    match term:
        case Unary(op="not"):
            return NOT
        case Unary(op="-"):
            return NEGATIVE
        case Unary() | Index():
            return POSTFIX
        case Binary():
            return BINDING[term.op]
    return _ATOM


def _number(number: Number) -> str:
    if not number.places:
        return str(number.value.numerator)
    digits = str((number.value * Fraction(10) ** number.places).numerator).rjust(number.places + 1, "0")
    return f"{digits[: -number.places]}.{digits[-number.places :]}"
