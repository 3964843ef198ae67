"""Inference about one unknown whose equations are of a higher degree: `x^2 - 5*x + 6 = 0 => x = 2 or x = 3`.

The premises must have finitely many real solutions, all rational. A conclusion that lists values must list
exactly those; any other must hold for each of them. A rewritten equation must keep every real solution.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from tuili.steps import polynomial
from tuili.steps.evaluate import truth
from tuili.steps.polynomial import Coefficients, coefficients, expand, subtract
from tuili.steps.terms import Binary, Boolean, Compare, Name, Term, Unary, names
from tuili.steps.values import show_number
from tuili.steps.verdict import Decision, Undecided


def is_higher_degree(term: Term) -> bool:
    """Whether some comparison in a statement has a product of unknowns that does not cancel out."""
    match term:
        case Compare():
            forms = [expand(part) for part in (term.first, *(part for _, part in term.rest))]
            return any(polynomial.degree(subtract(a, b)) > 1 for a, b in pairwise(forms))
        case Unary():
            return is_higher_degree(term.operand)
        case Binary():
            return is_higher_degree(term.left) or is_higher_degree(term.right)
    return False


def decide(premises: Sequence[Term], conclusion: Term) -> Decision:
    """Whether the conclusion fits the solutions of the premises. Raises `Undecided` if one is irrational."""
    unknowns = frozenset().union(*map(names, (*premises, conclusion)))
    if len(unknowns) != 1:
        raise Undecided("equations of a higher degree in several unknowns")
    (unknown,) = unknowns
    before, after = [_equation(term) for term in premises], _equation(conclusion)
    if len(premises) == 1 and before[0] and after is not None and len(after) != 2:
        return _rewritten(before[0], after)
    solutions = _solutions(premises, unknown)
    expected = " or ".join(f"{unknown} = {show_number(root)}" for root in sorted(solutions)) or "false"
    used = tuple(range(len(premises)))
    if conclusion == Boolean(False):
        return Decision(not solutions, rule="no real solution", used=used, expected=expected)
    listed = _listed(conclusion, unknown)
    if listed is not None:
        follows = frozenset(listed) == solutions
    else:
        follows = all(truth(conclusion, {unknown: root}) for root in solutions)
    witness = next((root for root in sorted(solutions) if not truth(conclusion, {unknown: root})), None)
    model = None if witness is None else {unknown: show_number(witness)}
    return Decision(follows, bool(solutions), "roots", used, model, expected)


def _solutions(premises: Sequence[Term], unknown: str) -> frozenset[Fraction]:
    """The values that make every premise true, if one of the premises leaves only finitely many."""
    for term in premises:
        candidates = _candidates(term, unknown)
        if candidates is not None:
            return frozenset(x for x in candidates if all(truth(premise, {unknown: x}) for premise in premises))
    raise Undecided("no premise with finitely many solutions")


def _candidates(term: Term, unknown: str) -> frozenset[Fraction] | None:
    """Finitely many values that include all solutions of a statement, or None if it has infinitely many."""
    equation = _equation(term)
    if equation is not None:
        return polynomial.real_roots(equation) if equation else None
    match term:
        case Boolean(value=False):
            return frozenset()
        case Binary(op="or"):
            sides = [_candidates(side, unknown) for side in (term.left, term.right)]
            return None if sides[0] is None or sides[1] is None else sides[0] | sides[1]
        case Binary(op="and"):
            sides = [_candidates(side, unknown) for side in (term.left, term.right)]
            return sides[1] if sides[0] is None else sides[0]
    return None


def _equation(term: Term) -> Coefficients | None:
    """The polynomial whose roots solve a single equation in one unknown; None for any other statement."""
    match term:
        case Compare(first, (("=", second),)):
            return coefficients(subtract(expand(first), expand(second)))
    return None


def _listed(term: Term, unknown: str) -> list[Fraction] | None:
    """The values that a conclusion like `x = 2 or x = 3` lists; None if it is of another form."""
    match term:
        case Compare(Name(id=name), (("=", value),)) if name == unknown and not names(value):
            constant = expand(value)
            return [constant.get((), Fraction(0))]
        case Binary("or", left, right):
            lists = [_listed(side, unknown) for side in (left, right)]
            return None if lists[0] is None or lists[1] is None else lists[0] + lists[1]
    return None


def _rewritten(before: Coefficients, after: Coefficients) -> Decision:
    """Whether every real root of one equation solves the other, decided without knowing the roots."""
    lost = before
    while after and len(lost) > 1:
        shared = polynomial.common_divisor(lost, after)
        if len(shared) < 2:
            break
        lost = polynomial.divide(lost, shared)[0]
    follows = not after or len(lost) < 2 or not polynomial.count_real_roots(lost)
    solvable = len(before) > 1 and polynomial.count_real_roots(before) > 0
    return Decision(follows, solvable, "equivalent equation" if follows else "", (0,))
