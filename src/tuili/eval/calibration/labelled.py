"""A prompt with a known right answer, and whether a response to it is right.

`eval.comparing` compares answers; `tuili.steps` decides which chains of steps settle a claim.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tuili.eval.comparing import Comparison
from tuili.steps import Context, Status, programs, settles
from tuili.tasks import Problem


@dataclass(frozen=True)
class LabelledPrompt:
    """A prompt with its right answer.

    If the answer is a program, `specification` defines which others are also right. If there is a `claim`, the steps of
    a response must settle it. Otherwise, answers are compared by `comparison`.
    """

    prompt: str
    answer: str
    specification: programs.Specification | None = None
    claim: str = ""
    comparison: Comparison = Comparison.EXACT

    @classmethod
    def of(cls, problem: Problem, comparison: Comparison = Comparison.EXACT) -> LabelledPrompt:
        """The prompt of a problem."""
        return cls(problem.prompt, problem.answer, problem.specification, problem.claim, comparison)

    def is_answered_by(self, steps: Sequence[str], answer: str, context: Context) -> bool:
        """Whether a response is right; `context` holds the facts given in the prompt."""
        if self.claim:
            return settles(self.claim, steps, answer, context).status is Status.VALID
        return self.comparison.is_right(self.answer, answer, self.specification)
