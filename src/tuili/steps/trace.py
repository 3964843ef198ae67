"""Decides a trace line: it must retell the next event of the program in the context."""

from __future__ import annotations

from tuili.steps import claims
from tuili.steps.context import Context
from tuili.steps.program import Event
from tuili.steps.terms import Compare, Name, Trace
from tuili.steps.values import show
from tuili.steps.verdict import Status, Undecided, Verdict


def decide(step: Trace, context: Context) -> Verdict:
    """The verdict on a trace line. Raises a `StepFault`."""
    if not context.program:
        raise Undecided("no program to trace")
    event = context.run.event(context.events)
    if event is None:
        return _wrong("the program has ended")
    if event.fault is not None:
        raise event.fault
    if step.label != event.label:
        return _wrong(f"the next event is at {event.label}", event)
    relation = step.claim.relation
    if not isinstance(relation, Compare) or any(op != "=" for op, _ in relation.rest):
        return _wrong("a trace line is a chain of '='", event)
    assigned = relation.first.id if isinstance(relation.first, Name) else None
    if event.name is not None and assigned != event.name:
        return _wrong(f"the event gives {event.name} a value", event)
    if event.name is None and len(relation.rest) < 1:
        return _wrong("the event decides a condition", event)
    parts = [term for _, term in relation.rest]
    if event.name is None:
        parts.insert(0, relation.first)
    assert event.value is not None
    for part in parts:
        verdict = claims.equals(part, event.value, event.before)
        if verdict is not None:
            return verdict if verdict.status is not Status.INVALID else _wrong(verdict.reason, event)
    return Verdict(Status.VALID, "trace", witness={"rule": "execution", "event": _text(event)})


def _wrong(reason: str, event: Event | None = None) -> Verdict:
    return Verdict(Status.INVALID, "trace", reason, None if event is None else _text(event))


def _text(event: Event) -> str:
    assert event.value is not None
    value = show(event.value)
    return f"{event.label}: {event.name} = {value}" if event.name is not None else f"{event.label}: {value}"
