"""Decides an inference: which theory its statements belong to, and whether the conclusion follows.

From premises that contradict each other only `false` may be concluded: everything follows from them, so nothing else is
shown. `grounding` decides whether the premises may be used.
"""

from __future__ import annotations

from collections.abc import Sequence

from tuili.steps.language.printer import render_term
from tuili.steps.language.terms import Boolean, Categorical, Term
from tuili.steps.theories import linear, logic, regions, roots
from tuili.steps.values.evaluate import evaluation_budget
from tuili.steps.verdict import Decision, Status, Undecided, Verdict

_FALSE = Boolean(False)


def decide(premises: Sequence[Term], conclusion: Term) -> Verdict:
    """The verdict on an inference whose premises are given as statements. Raises a `StepFault`."""
    kind, decision = _decide(premises, conclusion)
    used = tuple(render_term(premises[i]) for i in decision.used)
    if not decision.follows:
        model = decision.counter_model
        witness: dict[str, object] = {} if model is None else {"counter_model": model}
        return Verdict(Status.INVALID, kind, "the conclusion does not follow", decision.expected, witness)
    if not decision.consistent and conclusion != _FALSE:
        reason = "the premises contradict each other: only false may be concluded"
        return Verdict(Status.INVALID, kind, reason, "false", {"inconsistent": True, "premises": used})
    witness = {"rule": decision.rule, "premises": used, **decision.evidence}
    return Verdict(Status.VALID, kind, witness=witness)


def _decide(premises: Sequence[Term], conclusion: Term) -> tuple[str, Decision]:
    statements = [term for term in (*premises, conclusion) if not isinstance(term, Boolean)]
    if all(map(logic.is_propositional, statements)):
        return "propositional", logic.decide(premises, conclusion)
    if all(map(regions.is_about_classes, statements)):
        categorical = any(isinstance(term, Categorical) for term in statements)
        return "categorical" if categorical else "set", regions.decide(premises, conclusion)
    if all(map(linear.is_about_numbers, statements)):
        budget = evaluation_budget()
        if any(roots.is_higher_degree(term, budget) for term in statements):
            return "polynomial", roots.decide(premises, conclusion, budget)
        return "linear", linear.decide_listed(premises, conclusion, budget)
    raise Undecided("premises and conclusion are not all of one theory")
