"""Inference about one unknown from equations of a higher degree: `x^2 - 5*x + 6 = 0 => x = 2 or x = 3`.

The premises must have finitely many real solutions, all of them rational. A conclusion that lists values must list
exactly the solutions; any other conclusion must hold for each. A rewritten equation must keep every real solution.
`identities` decides inference about several unknowns.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from tuili.steps.language.terms import Binary, Boolean, Compare, Name, Term, Unary, names
from tuili.steps.theories import identities, polynomial
from tuili.steps.theories.polynomial import Coefficients, coefficients, expand, subtract
from tuili.steps.values.evaluate import truth
from tuili.steps.values.rendering import render_number
from tuili.steps.verdict import Decision, Undecided, Undefined
from tuili.steps.work_budget import WorkBudget


def is_higher_degree(term: Term, budget: WorkBudget) -> bool:
    """Whether a comparison in a statement has a product of unknowns that does not cancel out."""
    match term:
        case Compare():
            forms = [expand(part, budget) for part in (term.first, *(part for _, part in term.rest))]
            return any(polynomial.degree(subtract(a, b)) > 1 for a, b in pairwise(forms))
        case Unary():
            return is_higher_degree(term.operand, budget)
        case Binary():
            return is_higher_degree(term.left, budget) or is_higher_degree(term.right, budget)
    return False


def decide(premises: Sequence[Term], conclusion: Term, budget: WorkBudget) -> Decision:
    """Whether the conclusion holds for the solutions of the premises. Raises `Undecided` if one is irrational."""
    unknowns = frozenset().union(*map(names, (*premises, conclusion)))
    if len(unknowns) != 1:
        return identities.decide(premises, conclusion)
    (unknown,) = unknowns
    before, after = [_equation(term, budget) for term in premises], _equation(conclusion, budget)
    if len(premises) == 1 and before[0] and after is not None and len(after) != 2:
        return _rewritten(before[0], after)
    solutions = _solutions(premises, unknown, budget)
    expected = " or ".join(f"{unknown} = {render_number(root)}" for root in sorted(solutions)) or "false"
    used = tuple(range(len(premises)))
    if conclusion == Boolean(False):
        return Decision(not solutions, rule="no real solution", used=used, expected=expected)
    listed = _listed(conclusion, unknown, budget)
    if listed is not None:
        follows = frozenset(listed) == solutions
    else:
        follows = all(truth(conclusion, {unknown: root}, budget) for root in solutions)
    witness = next((root for root in sorted(solutions) if not truth(conclusion, {unknown: root}, budget)), None)
    model = None if witness is None else {unknown: render_number(witness)}
    return Decision(follows, bool(solutions), "roots", used, model, expected)


def _solutions(premises: Sequence[Term], unknown: str, budget: WorkBudget) -> frozenset[Fraction]:
    """The values that make every premise true. Raises `Undecided` if each premise has infinitely many solutions."""

    def solves(x: Fraction) -> bool:
        return all(truth(premise, {unknown: x}, budget) for premise in premises)

    for term in premises:
        candidates = _candidates(term, unknown, budget)
        if candidates is not None:
            try:
                return frozenset(filter(solves, candidates))
            except Undefined as fault:
                raise Undecided(f"a premise without a value for every candidate: {fault}") from None
    raise Undecided("no premise with finitely many solutions")


def _candidates(term: Term, unknown: str, budget: WorkBudget) -> frozenset[Fraction] | None:
    """Finitely many values that include all solutions of a statement; None if no such set is known."""
    equation = _equation(term, budget)
    if equation is not None:
        return polynomial.real_roots(equation, budget) if equation else None
    match term:
        case Boolean(value=False):
            return frozenset()
        case Binary(op="or"):
            sides = [_candidates(side, unknown, budget) for side in (term.left, term.right)]
            return None if sides[0] is None or sides[1] is None else sides[0] | sides[1]
        case Binary(op="and"):
            sides = [_candidates(side, unknown, budget) for side in (term.left, term.right)]
            return sides[1] if sides[0] is None else sides[0]
    return None


def _equation(term: Term, budget: WorkBudget) -> Coefficients | None:
    """The polynomial whose roots solve a single equation in one unknown; None for any other statement."""
    match term:
        case Compare(first, (("=", second),)):
            return coefficients(subtract(expand(first, budget), expand(second, budget)))
    return None


def _listed(term: Term, unknown: str, budget: WorkBudget) -> list[Fraction] | None:
    """The values that a conclusion like `x = 2 or x = 3` lists; None if it is of another form."""
    match term:
        case Compare(Name(id=name), (("=", value),)) if name == unknown and not names(value):
            constant = expand(value, budget)
            return [constant.get((), Fraction(0))]
        case Binary("or", left, right):
            lists = [_listed(side, unknown, budget) for side in (left, right)]
            return None if lists[0] is None or lists[1] is None else lists[0] + lists[1]
    return None


def _rewritten(before: Coefficients, after: Coefficients) -> Decision:
    """Whether every real root of one equation solves the other. The roots themselves need not be known."""
    lost = before
    while after and len(lost) > 1:
        shared = polynomial.common_divisor(lost, after)
        if len(shared) < 2:
            break
        lost = polynomial.divide(lost, shared)[0]
    follows = not after or len(lost) < 2 or not polynomial.count_real_roots(lost)
    solvable = len(before) > 1 and polynomial.count_real_roots(before) > 0
    return Decision(follows, solvable, "equivalent equation" if follows else "", (0,))
