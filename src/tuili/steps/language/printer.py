"""Prints steps canonically, with the fewest brackets: `parse(render(step)) == step` for every step that was parsed.

`values.rendering` writes values, `response` writes whole responses.
"""

from __future__ import annotations

import re
from fractions import Fraction

from tuili.steps.language import grammar, terms
from tuili.steps.language.terms import Step, Term

_COMPARISON = grammar.COMPARISON_PRECEDENCE
_POSTFIX = grammar.POSTFIX_PRECEDENCE
_ATOM = _POSTFIX + 1
_FRACTION_FIRST = re.compile(r"-*[0-9]+/")
_NEVER_BARE = 0
"""The precedence of a comparison that always needs brackets: inside a claim, where `=` binds loosest of all."""


def render(step: Step) -> str:
    """The canonical text of a step. A line that could not be read is returned unchanged."""
    match step:
        case terms.Claim():
            return _claim(step)
        case terms.Trace():
            return f"{step.label}: {_claim(step.claim)}"
        case terms.Inference():
            return f"{', '.join(map(render_term, step.premises))} => {render_term(step.conclusion)}"
        case terms.Universal():
            return _universal(step)
        case terms.Instance():
            values = ", ".join(f"{name} = {render_term(value)}" for name, value in step.values)
            return f"{values}: {_claim(terms.Claim(step.relation))}"
        case terms.Prose():
            return step.text


def render_term(term: Term) -> str:
    """The canonical text of a statement: `x = 2 or x = 3`."""
    return _render(term, _COMPARISON)


def _universal(step: terms.Universal) -> str:
    bounds = (v.name if v.low is None else f"{v.name} >= {v.low}" for v in step.variables)
    lead = f"for all {'integers ' if step.integers else ''}{', '.join(bounds)}: "
    hypotheses = " and ".join(map(render_term, step.hypotheses))
    return (
        f"{lead}{hypotheses} -> {render_term(step.conclusion)}" if hypotheses else lead + render_term(step.conclusion)
    )


def _claim(claim: terms.Claim) -> str:
    relation = claim.relation
    if isinstance(relation, terms.Binary):
        return _render(relation, _NEVER_BARE)
    parts = (relation.first, *(term for _, term in relation.rest))
    loose = all(op == "=" for op, _ in relation.rest)
    # A comparison may stand bare beside `=` only if another part shows that truth values are compared.
    bare = loose and any(terms.is_boolean(part) and not isinstance(part, terms.Compare) for part in parts)

    def side(term: Term) -> str:
        if isinstance(term, terms.Compare) and bare and all(op != "=" for op, _ in term.rest):
            return _render(term, _NEVER_BARE)
        return _operand(term, 1 if loose else _COMPARISON + 1, _NEVER_BARE)

    return "".join((side(relation.first), *(f" {op} {side(term)}" for op, term in relation.rest)))


def _render(term: Term, comparison: int) -> str:
    """The text of a term. `comparison` is the precedence of a comparison in it: `_COMPARISON` or `_NEVER_BARE`."""

    def operand(part: Term, lowest: int) -> str:
        return _operand(part, lowest, comparison)

    def listed(parts: tuple[Term, ...]) -> str:
        return ", ".join(_render(part, _COMPARISON) for part in parts)

    match term:
        case terms.Number():
            return _number(term)
        case terms.Ratio():
            return f"{term.numerator}/{term.denominator}"
        case terms.Measure():
            return f"{_render(term.number, comparison)} {term.unit}"
        case terms.Boolean():
            return str(term.value).lower()
        case terms.Day():
            return f"{term.year:04}-{term.month:02}-{term.day:02}"
        case terms.Month():
            return f"{term.year:04}-{term.month:02}"
        case terms.Clock():
            return f"{term.hour:02}:{term.minute:02}" + ("" if term.second is None else f":{term.second:02}")
        case terms.WeekdayName():
            return term.name
        case terms.Name():
            return term.id
        case terms.Unary(op="not"):
            return f"not {operand(term.operand, grammar.NOT_PRECEDENCE)}"
        case terms.Unary(op="-"):
            return f"-{operand(term.operand, grammar.SIGN_PRECEDENCE)}"
        case terms.Unary(op="!", operand=terms.Unary(op="!") as inner):
            return f"({_render(inner, comparison)})!"
        case terms.Unary():
            return _bracket_literal(term.operand, operand(term.operand, _POSTFIX)) + term.op
        case terms.Binary():
            return _binary(term, comparison)
        case terms.Compare():
            sides = (f" {op} {operand(part, _COMPARISON + 1)}" for op, part in term.rest)
            return operand(term.first, _COMPARISON + 1) + "".join(sides)
        case terms.Call():
            return f"{term.function}({listed(term.arguments)})"
        case terms.Collection():
            return term.brackets[0] + listed(term.items) + term.brackets[1]
        case terms.Index():
            sequence = _bracket_literal(term.sequence, operand(term.sequence, _POSTFIX))
            return f"{sequence}[{_render(term.position, _COMPARISON)}]"
        case terms.Sum():
            low, high = (_operand(part, _COMPARISON + 1, comparison) for part in (term.low, term.high))
            return f"sum({_render(term.body, _COMPARISON)} for {term.variable} from {low} to {high})"
        case terms.Categorical():
            no = "not " if term.negated else ""
            return f"{term.quantifier} {term.subject} are {no}{term.predicate}"


def _binary(term: terms.Binary, comparison: int) -> str:
    precedence = grammar.PRECEDENCE[term.op]
    is_right_associative = term.op in grammar.RIGHT_ASSOCIATIVE
    left = _operand(term.left, precedence + (is_right_associative or term.op in grammar.MEMBERSHIP), comparison)
    right = _operand(term.right, precedence + (not is_right_associative), comparison)
    if term.op == "^":
        left, right = _bracket_literal(term.left, left), _bracket_literal(term.right, right)
        return f"{left}^{right}"
    if term.op in ("/", "mod", "div") and _FRACTION_FIRST.match(right):
        right = f"({right})"
    return f"{left} {term.op} {right}"


def _operand(term: Term, lowest: int, comparison: int) -> str:
    """The text of a term as an operand, in brackets if its precedence is below `lowest`."""
    precedence = comparison if isinstance(term, terms.Compare) else _precedence(term)
    return _render(term, comparison) if precedence >= lowest else f"({_render(term, _COMPARISON)})"


def _bracket_literal(term: Term, text: str) -> str:
    return f"({text})" if isinstance(term, (terms.Ratio, terms.Measure)) else text


def _precedence(term: Term) -> int:
    match term:
        case terms.Unary(op="not"):
            return grammar.NOT_PRECEDENCE
        case terms.Unary(op="-"):
            return grammar.SIGN_PRECEDENCE
        case terms.Unary() | terms.Index():
            return _POSTFIX
        case terms.Binary():
            return grammar.PRECEDENCE[term.op]
    return _ATOM


def _number(number: terms.Number) -> str:
    if not number.places:
        return str(number.value.numerator)
    digits = str((number.value * Fraction(10) ** number.places).numerator).rjust(number.places + 1, "0")
    return f"{digits[: -number.places]}.{digits[-number.places :]}"
