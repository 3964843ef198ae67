"""Decides a trace line: it must retell the next event of the program in the context.

Every part of an assignment must have the assigned value. The first part of a decided condition must be the condition as
the program writes it; each further part must be the same comparison of the same values, or the truth value.
"""

from __future__ import annotations

from collections.abc import Mapping

from tuili.steps.context import Context
from tuili.steps.language import terms
from tuili.steps.language.printer import render_term
from tuili.steps.language.terms import Term
from tuili.steps.theories.interpreter import Event
from tuili.steps.values.evaluate import evaluate, evaluation_budget
from tuili.steps.values.rendering import render_value
from tuili.steps.values.values import Value, equal
from tuili.steps.verdict import Status, Undecided, Verdict
from tuili.steps.work_budget import WorkBudget


def decide(step: terms.Trace, context: Context) -> Verdict:
    """The verdict on a trace line. Raises a `StepFault`, also if the event has no value."""
    if not context.program:
        raise Undecided("no program to trace")
    event = context.execution.event(context.events)
    if event is None:
        return Verdict(Status.INVALID, "trace", "the program has ended")
    if step.label != event.label:
        return _wrong(f"the next event is at {event.label}", event)
    relation = step.claim.relation
    if not isinstance(relation, terms.Compare) or any(op != "=" for op, _ in relation.rest):
        return _wrong("a trace line is a chain of '='", event)
    parts = [term for _, term in relation.rest]
    budget = evaluation_budget()
    if event.condition is not None:
        if relation.first != event.condition:
            return _wrong(f"the next event decides {render_term(event.condition)}", event)
        if any(not _restates(part, event.condition, context.values, budget) for part in parts):
            return _wrong(f"not every part is about {render_term(event.condition)}", event)
    elif event.name is not None and relation.first != terms.Name(event.name):
        return _wrong(f"the next event gives {event.name} a value", event)
    for part in parts:
        value = evaluate(part, context.values, budget)
        if not equal(value, event.value):
            return _wrong(f"the program gives {render_value(event.value)} here, not {render_value(value)}", event)
    return Verdict(Status.VALID, "trace", witness={"rule": "execution", "event": _text(event)})


def _restates(part: Term, condition: Term, values: Mapping[str, Value], budget: WorkBudget) -> bool:
    """Whether a part is the condition, in which any operand may be replaced by another with the same value."""
    if isinstance(part, terms.Boolean) or part == condition:
        return True
    if not terms.operators(condition) or terms.operators(part) != terms.operators(condition):
        return False
    for inner, original in zip(terms.children(part), terms.children(condition), strict=True):
        if not equal(evaluate(inner, values, budget), evaluate(original, values, budget)):
            return False
        if terms.is_boolean(original) and not _restates(inner, original, values, budget):
            return False
    return True


def _wrong(reason: str, event: Event) -> Verdict:
    return Verdict(Status.INVALID, "trace", reason, _text(event))


def _text(event: Event) -> str:
    if event.condition is not None:
        return f"{event.label}: {render_term(event.condition)} = {render_value(event.value)}"
    return f"{event.label}: {event.name} = {render_value(event.value)}"
