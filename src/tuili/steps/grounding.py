"""Which premises an inference may use: labelled or restated facts, former conclusions, and what can be computed."""

from __future__ import annotations

from collections.abc import Sequence

from tuili.steps.context import LABEL, Context
from tuili.steps.language.printer import render_term
from tuili.steps.language.terms import Name, Term, names
from tuili.steps.values.evaluate import evaluation_budget, truth
from tuili.steps.verdict import LimitExceeded, StepFault, Undecided, Ungrounded
from tuili.steps.work_budget import WorkBudget


def resolve(premises: Sequence[Term], context: Context) -> list[Term]:
    """The premises as statements, each once.

    Without facts or a program, every premise is granted that the known values do not refute.
    Raises `Undecided` for an unknown label and `Ungrounded` for a premise that nothing supports.
    """
    budget = evaluation_budget()
    return [_resolve(premise, context, budget) for premise in dict.fromkeys(premises)]


def _resolve(premise: Term, context: Context, budget: WorkBudget) -> Term:
    if isinstance(premise, Name):
        if premise.id in context.facts:
            statement = context.statements.get(premise.id)
            if statement is None:
                raise Undecided(f"the fact {premise.id} is not a statement")
            return statement
        if LABEL.fullmatch(premise.id):
            raise Undecided(f"unknown label {premise.id}")
    if not _granted(premise, context, budget):
        raise Ungrounded(f"unknown premise {render_term(premise)}")
    return premise


def _granted(premise: Term, context: Context, budget: WorkBudget) -> bool:
    if premise in context.conclusions or premise in context.statements.values():
        return True
    try:
        return truth(premise, context.values, budget) or not (context.is_grounded or names(premise))
    except LimitExceeded:
        raise
    except StepFault:
        return not context.is_grounded
