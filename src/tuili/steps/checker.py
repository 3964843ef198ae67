"""The exact checker: one line in, one verdict out, total and bounded. Deciding is left to the theories."""

from __future__ import annotations

from collections.abc import Iterable

from tuili.steps import claims, grounding, inference, trace
from tuili.steps.context import Context
from tuili.steps.language.parser import parse
from tuili.steps.language.terms import Claim, Inference, Prose, Trace
from tuili.steps.verdict import Status, StepFault, Verdict

_NOTHING_KNOWN = Context()


def check(line: str, context: Context | None = None) -> Verdict:
    """The verdict on one line. Never raises and never changes the context."""
    context = context or _NOTHING_KNOWN
    step = parse(line)
    try:
        match step:
            case Claim():
                return claims.decide(step, context)
            case Trace():
                return trace.decide(step, context)
            case Inference():
                return inference.decide(grounding.resolve(step.premises, context), step.conclusion)
            case Prose():
                return Verdict(Status.UNSUPPORTED, reason=step.reason)
    except StepFault as fault:
        return Verdict(fault.status, "trace" if isinstance(step, Trace) else "none", str(fault))


def check_chain(lines: Iterable[str], context: Context | None = None) -> list[Verdict]:
    """The verdicts on the lines of a chain; each may rely on the valid lines before it."""
    context = context or _NOTHING_KNOWN
    verdicts: list[Verdict] = []
    for line in lines:
        verdict = check(line, context)
        verdicts.append(verdict)
        context = context.after(line, verdict)
    return verdicts
