"""Which premises an inference may use: labelled or restated facts, former conclusions, what is computable."""

from __future__ import annotations

from collections.abc import Sequence

from tuili.steps.context import LABEL, Context
from tuili.steps.evaluate import truth
from tuili.steps.printer import show_term
from tuili.steps.terms import Compare, Name, Term
from tuili.steps.verdict import StepFault, Undecided, Ungrounded


def resolve(premises: Sequence[Term], context: Context) -> list[Term]:
    """The premises as statements. Without facts or a program every premise is granted: only the inference counts.

    Raises `Undecided` for an unknown label and `Ungrounded` for a premise that nothing supports.
    """
    return [_resolve(premise, context) for premise in premises]


def _resolve(premise: Term, context: Context) -> Term:
    if isinstance(premise, Name):
        if premise.id in context.facts:
            statement = context.statements.get(premise.id)
            if statement is None:
                raise Undecided(f"the fact {premise.id} is not a statement")
            return statement
        if LABEL.fullmatch(premise.id):
            raise Undecided(f"unknown label {premise.id}")
    if (context.facts or context.program) and not _granted(premise, context):
        raise Ungrounded(f"unknown premise {show_term(premise)}")
    return premise


def _granted(premise: Term, context: Context) -> bool:
    if premise in context.conclusions or premise in context.statements.values():
        return True
    if not isinstance(premise, Compare):
        return False
    try:
        return truth(premise, context.values)
    except StepFault:
        return False
