"""Which premises an inference may use: labelled or restated facts, earlier conclusions, and what can be computed."""

from __future__ import annotations

from tuili.steps.context import Context
from tuili.steps.language.printer import render_term
from tuili.steps.language.terms import Inference, Name, Term, names
from tuili.steps.sentences import LABEL
from tuili.steps.values.evaluate import evaluation_budget, truth
from tuili.steps.verdict import LimitExceeded, StepFault, Undecided, Ungrounded
from tuili.steps.work_budget import WorkBudget


def resolve(step: Inference, context: Context) -> list[Term]:
    """The premises as statements, each once.

    Without facts or a program, every premise is granted that the known values do not refute. Raises `Undecided` for an
    unknown label, for a label inside a statement, and for a premise that an unreadable part of the prompt may give.
    Raises `Ungrounded` for any other premise that nothing supports.
    """
    budget = evaluation_budget()
    if context.labels:
        _refuse_labels(step.conclusion, context)
    return [_resolve(premise, context, budget) for premise in dict.fromkeys(step.premises)]


def _refuse_labels(statement: Term, context: Context) -> None:
    """Refuses a statement that mentions a label without a value: a label names a statement and is not one itself."""
    for name in sorted(names(statement) & context.labels):
        if name not in context.values:
            raise Undecided(f"{name} is a label: write the statement itself")


def _resolve(premise: Term, context: Context, budget: WorkBudget) -> Term:
    if isinstance(premise, Name):
        if premise.id in context.facts:
            statement = context.statements.get(premise.id)
            if statement is None:
                raise Undecided(f"the fact {premise.id} is not a statement, or no longer counts")
            return statement
        if LABEL.fullmatch(premise.id):
            raise Undecided(f"unknown label {premise.id}")
    if not _granted(premise, context, budget):
        _refuse_labels(premise, context)
        if context.may_be_given(premise):
            raise Undecided(f"{render_term(premise)} may be given where the prompt could not be read")
        raise Ungrounded(f"unknown premise {render_term(premise)}")
    return premise


def _granted(premise: Term, context: Context, budget: WorkBudget) -> bool:
    if premise in context.conclusions or premise in context.given:
        return True
    try:
        return truth(premise, context.values, budget) or not (context.is_grounded or names(premise))
    except LimitExceeded:
        raise
    except StepFault:
        return not context.is_grounded
