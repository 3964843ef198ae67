"""Substitutes terms for names: `n^2` with `n + 1` for `n` is `(n + 1)^2`."""

from __future__ import annotations

from collections.abc import Mapping

from tuili.steps.language import terms
from tuili.steps.language.terms import Term
from tuili.steps.verdict import Undecided
from tuili.steps.work_budget import WorkBudget


def substitute(term: Term, values: Mapping[str, Term], budget: WorkBudget) -> Term:
    """Substitutes values for names in a term. Raises `Undecided` if a sum would bind a name of a value.

    The work is one unit for each node of the term.
    """
    budget.spend(1)
    match term:
        case terms.Name():
            return values.get(term.id, term)
        case terms.Unary():
            return terms.Unary(term.op, substitute(term.operand, values, budget))
        case terms.Binary():
            return terms.Binary(term.op, substitute(term.left, values, budget), substitute(term.right, values, budget))
        case terms.Compare():
            return substitute_in(term, values, budget)
        case terms.Call():
            return terms.Call(term.function, tuple(substitute(part, values, budget) for part in term.arguments))
        case terms.Collection():
            return terms.Collection(term.brackets, tuple(substitute(part, values, budget) for part in term.items))
        case terms.Index():
            return terms.Index(substitute(term.sequence, values, budget), substitute(term.position, values, budget))
        case terms.Sum():
            inner = {name: value for name, value in values.items() if name != term.variable}
            if any(term.variable in terms.names(value) for value in inner.values()):
                raise Undecided(f"the sum over {term.variable} has a name for two things")
            low, high = substitute(term.low, values, budget), substitute(term.high, values, budget)
            return terms.Sum(substitute(term.body, inner, budget), term.variable, low, high)
    return term


def substitute_in(relation: terms.Compare, values: Mapping[str, Term], budget: WorkBudget) -> terms.Compare:
    """Substitutes values for names in a relation."""
    rest = tuple((op, substitute(part, values, budget)) for op, part in relation.rest)
    return terms.Compare(substitute(relation.first, values, budget), rest)
