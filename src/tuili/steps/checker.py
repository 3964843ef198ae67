"""The exact checker: it gives every line a verdict, within bounds on size and work.

`claims`, `inference`, `trace` and `universal` decide the lines; `context` holds what later lines may rely on.
"""

from __future__ import annotations

from collections.abc import Iterable

from tuili.steps import claims, grounding, inference, trace, universal
from tuili.steps.context import Context
from tuili.steps.language.parser import parse
from tuili.steps.language.terms import Claim, Inference, Instance, Prose, Trace, Universal
from tuili.steps.verdict import Status, StepFault, Verdict

CHECKER_VERSION = 3
"""The version of the checker's verdicts. It increases whenever any verdict on any line in any context may change.

What was measured with the checker's verdicts, such as a calibration, holds for one version only.
"""

_EMPTY_CONTEXT = Context()


def check(line: str, context: Context | None = None) -> Verdict:
    """The verdict on one line. Never raises and never changes the context."""
    context = context or _EMPTY_CONTEXT
    step = parse(line)
    try:
        match step:
            case Claim():
                return claims.decide(step, context)
            case Trace():
                return trace.decide(step, context)
            case Universal():
                return universal.decide(step, context)
            case Instance():
                return universal.decide_instance(step)
            case Inference():
                return inference.decide(grounding.resolve(step, context), step.conclusion)
            case Prose():
                return Verdict(Status.UNSUPPORTED, reason=step.reason)
    except StepFault as fault:
        return Verdict(fault.status, "trace" if isinstance(step, Trace) else "none", str(fault))


def check_chain(lines: Iterable[str], context: Context | None = None) -> list[Verdict]:
    """The verdicts on the lines of a chain; each may rely on the valid lines before it."""
    context = context or _EMPTY_CONTEXT
    verdicts: list[Verdict] = []
    for line in lines:
        verdict = check(line, context)
        verdicts.append(verdict)
        context = context.after(line, verdict)
    return verdicts
