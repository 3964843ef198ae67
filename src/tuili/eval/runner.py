"""Turns problems into decoded and strictly scored responses, for every evaluation of generated problems.

`engine.decode` decodes, `tasks` scores, and the neighbouring modules compute statistics over the scores.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from tuili.engine import Answer, Decoder, Generation, explain
from tuili.steps import Status, Turns, check_chain, split_response
from tuili.store import AnyTokenizer, Tokenizer
from tuili.tasks import Problem, same_last_number, score


@dataclass(frozen=True)
class ScoredResponse:
    """One problem, the model's response to it, and whether the whole answer is right."""

    problem: Problem
    generation: Generation
    correct: bool

    @property
    def answer(self) -> str:
        """The answer that was written; empty if there is none, for example because the steps never ended."""
        return split_response(self.generation.text).answer

    @property
    def nearly_correct(self) -> bool:
        """Whether the whole answer is right, or at least its last number."""
        return self.correct or same_last_number(self.problem.answer, self.answer)

    @property
    def depths(self) -> list[int]:
        """The layers of every token."""
        return self.generation.depths

    @property
    def ended(self) -> bool:
        """Whether the response ended by itself."""
        return self.generation.stop == "end"

    @property
    def statuses(self) -> list[Status]:
        """The checker's verdict on every step."""
        steps = split_response(self.generation.text).steps
        return [verdict.status for verdict in check_chain(steps, self.problem.context)]

    def explained(self, tokenizer: AnyTokenizer) -> Answer:
        """The response with its checked steps."""
        assert isinstance(tokenizer, Tokenizer)
        return explain(self.problem.prompt, self.generation, tokenizer, self.problem.context)

    @property
    def depth(self) -> float:
        """Mean number of layers per token of the response; 0.0 for an empty response."""
        return fmean(self.generation.depths) if self.generation.depths else 0.0


def answer_problems(
    decoder: Decoder, problems: Sequence[Problem], progress: Callable[[int, int], None] | None = None
) -> list[ScoredResponse]:
    """Decode a response to every problem and score it; `progress` is called with (finished, total) problems."""
    finished = 0

    def count(ended: int) -> None:
        nonlocal finished
        finished += ended
        if progress is not None:
            progress(finished, len(problems))

    generations = decoder.generate([Turns(problem.prompt, problem.earlier) for problem in problems], count)
    return [
        ScoredResponse(problem, generation, score(problem, generation.text) == 1.0)
        for problem, generation in zip(problems, generations, strict=True)
    ]
