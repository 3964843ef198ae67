"""Numbers that cancel out and contribute nothing: 17 in `48 = 48 + 17 - 17` and in `48 = 48 * 17 / 17`.

Any other number could take the place of such a number. `sides` decides which sides are next to each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TypeAlias

from tuili.steps.language import terms
from tuili.steps.language.terms import Term
from tuili.steps.sources.numbers import Key, numerals
from tuili.steps.values.evaluate import evaluate
from tuili.steps.values.values import Quantity
from tuili.steps.verdict import StepFault

_SIGNS = {"+": ("+", "-"), "*": ("*", "/")}
"""The operators of a sum and of a product: the one that includes an operand, and its inverse."""

_Operand: TypeAlias = tuple[Term, bool]
"""An operand, and whether it is subtracted, or divided by."""


def cancelled(side: Term, other: Term) -> frozenset[Key]:
    """The numbers of the operands that `side` has and `other` does not, if these add up to 0 or multiply to 1.

    The operands of `other` must be adjacent in `side`: `396 + 4 + 247 - 4` is another way to add `396 + 247`.
    """
    for operator in _SIGNS:
        operands, kept = _operands(side, operator), _operands(other, operator)
        for start in range(len(operands) - len(kept) + 1):
            end = start + len(kept)
            if operands[start:end] == kept:
                left = operands[:start] + operands[end:]
                return _keys(left) if _is_nothing(left, operator) else frozenset()
    return frozenset()


def _operands(term: Term, operator: str, is_inverse: bool = False) -> list[_Operand]:
    """The operands of a sum or product. Any other term is one operand."""
    match term:
        case terms.Binary(op=op, left=left, right=right) if op in _SIGNS[operator]:
            is_right_inverse = is_inverse != (op != operator)
            return _operands(left, operator, is_inverse) + _operands(right, operator, is_right_inverse)
    return [(term, is_inverse)]


def _keys(operands: Sequence[_Operand]) -> frozenset[Key]:
    return frozenset(numeral.key for operand, _ in operands for numeral in numerals(operand))


def _is_nothing(operands: Sequence[_Operand], operator: str) -> bool:
    """Whether operands change nothing: they add up to 0, or multiply to 1."""
    whole: Term = terms.Number(Fraction(1))
    for place, (operand, is_inverse) in enumerate(operands):
        if place or operator == "*":
            whole = terms.Binary(_SIGNS[operator][is_inverse], whole, operand)
        else:
            whole = terms.Unary("-", operand) if is_inverse else operand
    try:
        value = evaluate(whole)
    except StepFault:
        return False
    if operator == "*":
        return value == 1
    return value.amount == 0 if isinstance(value, Quantity) else value == 0
