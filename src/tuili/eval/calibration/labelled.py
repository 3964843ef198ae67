"""A prompt whose right answer is known, and whether a response to it is right.

How answers are compared is left to `eval.comparing`, which chains settle a claim to `tuili.steps`.
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

    Where the answer is a program, `specification` says which others are right, too. Where there is a `claim`, the steps
    of a response must settle it. Answers are else compared by `comparison`.
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
        """Whether a response is right; `context` is what the prompt gives."""
        if self.claim:
            return settles(self.claim, steps, answer, context).status is Status.VALID
        return self.comparison.is_right(self.answer, answer, self.specification)
