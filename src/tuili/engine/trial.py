"""Whether a program given as the answer produces the values that the prompt shows.

`tuili.steps.programs` decides which examples a prompt shows, and runs programs within bounds. Inputs that the prompt
does not mention are not considered here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tuili.engine.written import ParsedResponse
from tuili.steps import programs


class TrialVerdict(StrEnum):
    """How a program performs on the examples of its prompt."""

    AGREES = "agrees"
    """It produces every value that the prompt shows; its behaviour on other inputs is not known."""
    CONTRADICTS = "contradicts"
    """It produces a different value, or an error, for one of them."""
    OPEN = "open"
    """It cannot be read, has another name, or did not run to its end within the bounds."""


@dataclass(frozen=True)
class Trial:
    """The function that the prompt shows examples of, how many there are, and how the answer's program performs."""

    function: str
    examples: int
    verdict: TrialVerdict


def try_program(shown: programs.Specification | None, response: ParsedResponse) -> tuple[Trial | None, str]:
    """How a whole response's program performs on the prompt's examples, and why it is not right; empty if it may be.

    Returns neither if the prompt shows no examples or the answer is not a program.
    """
    if shown is None or not response.complete or response.answer.split(maxsplit=1)[0] != "def":
        return None, ""
    ruling = programs.decide(response.answer, shown)
    examples = len(shown.examples)
    if ruling.right:
        return Trial(shown.function, examples, TrialVerdict.AGREES), ""
    fault = ruling.fault
    if ruling.failing is None or (fault is not None and fault.kind is not programs.FaultKind.ERROR):
        reason = f"the program could not be tried on the examples of the question: {ruling.reason}"
        return Trial(shown.function, examples, TrialVerdict.OPEN), reason
    reason = f"the program contradicts an example of the question: {ruling.reason}"
    return Trial(shown.function, examples, TrialVerdict.CONTRADICTS), reason
