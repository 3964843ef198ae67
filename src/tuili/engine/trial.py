"""Whether a program that answers a prompt gives the values that the prompt itself shows.

Which examples a prompt shows, and how a program is run within bounds, is left to `tuili.steps.programs`. Inputs that
the prompt does not tell are of no concern here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tuili.engine.written import ParsedResponse
from tuili.steps import programs


class TrialVerdict(StrEnum):
    """What a program does with the examples of its prompt."""

    AGREES = "agrees"
    """It gives each of the values that the prompt shows; what it does with other inputs is not known."""
    CONTRADICTS = "contradicts"
    """It gives another value, or an error, for one of them."""
    OPEN = "open"
    """It cannot be read, has another name, or was not run to its end within the bounds."""


@dataclass(frozen=True)
class Trial:
    """The function that the prompt shows examples of, how many they are, and what the program of the answer does."""

    function: str
    examples: int
    verdict: TrialVerdict


def try_program(shown: programs.Specification | None, response: ParsedResponse) -> tuple[Trial | None, str]:
    """What the program of a whole response does with the examples of its prompt, and why it is not right; empty if it
    may be.

    There is neither where the prompt shows no examples, and where the answer is no program.
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
