"""Numbers that cancel themselves on a side of an equation: 17 in `48 + 17 - 17` and in `48 * 17 / 17`.

Such a number could be any other, so that no equal side says which it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

from tuili.steps.language import terms
from tuili.steps.language.terms import Term
from tuili.steps.sources.numbers import Key, numerals
from tuili.steps.values.evaluate import evaluate
from tuili.steps.values.values import Quantity
from tuili.steps.verdict import StepFault

MAX_CHECKED = 10
"""Numbers of one sum or product that are looked at one by one."""

_SIGNS = {"+": ("+", "-"), "*": ("*", "/")}
"""The operators of a sum and of a product: to take in an operand, and its inverse."""


def cancelled(term: Term, new: frozenset[Key]) -> frozenset[Key]:
    """The numbers among `new` that cancel themselves: the operands that hold them add up to 0, or multiply to 1.

    Those beside an unknown stay: in `9*m^2 + 6*m*n - 6*n*m - 4*n^2` they come from a product that was multiplied out.
    """
    if not new:
        return frozenset()
    found: frozenset[Key] = frozenset()
    operands: Iterable[Term] = terms.children(term)
    for operator in _SIGNS:
        if parts := list(_operands(term, operator)):
            found |= _cancelled(parts, operator, new)
            operands = (operand for operand, _ in parts)
    return found.union(*(cancelled(operand, new) for operand in operands))


def _operands(term: Term, operator: str, is_inverse: bool = False) -> Iterator[tuple[Term, bool]]:
    """The operands of a sum or product and whether each is subtracted, or divided by. None for any other term."""
    match term:
        case terms.Binary(op=op, left=left, right=right) if op in _SIGNS[operator]:
            for operand, inverse in ((left, is_inverse), (right, is_inverse != (op != operator))):
                inner = list(_operands(operand, operator, inverse))
                yield from inner or [(operand, inverse)]


def _cancelled(parts: Sequence[tuple[Term, bool]], operator: str, new: frozenset[Key]) -> frozenset[Key]:
    held = [(part, new.intersection(numeral.key for numeral in numerals(part[0]))) for part in parts]
    settled = frozenset().union(*(keys for (operand, _), keys in held if terms.names(operand)))
    every = frozenset().union(*(keys for _, keys in held)) - settled
    groups = [every, *(frozenset((key,)) for key in sorted(every, key=str)[:MAX_CHECKED])]
    found = (group for group in groups if _is_nothing([part for part, keys in held if keys & group], operator))
    return frozenset().union(*found)


def _is_nothing(parts: Sequence[tuple[Term, bool]], operator: str) -> bool:
    """Whether operands change nothing: they add up to 0, or multiply to 1."""
    whole: Term = terms.Number(Fraction(1))
    for place, (operand, is_inverse) in enumerate(parts):
        if place or operator == "*":
            whole = terms.Binary(_SIGNS[operator][is_inverse], whole, operand)
        else:
            whole = terms.Unary("-", operand) if is_inverse else operand
    try:
        value = evaluate(whole)
    except StepFault:
        return False
    if operator == "*":
        return value == 1 and bool(parts)
    return value.amount == 0 if isinstance(value, Quantity) else value == 0
