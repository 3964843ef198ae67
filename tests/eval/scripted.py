"""Responses made by hand and a decoder that knows the answers, for tests that need no model."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from tuili.data import train_tokenizer
from tuili.engine import Generation, Runtime
from tuili.eval.runner import ScoredResponse
from tuili.steps import Context, Turns, render_response
from tuili.tasks import Problem

TOKENIZER = train_tokenizer(["What is 1 + 1?", "1 + 1 = 2"], vocabulary=300)


def response(
    domain: str = "arithmetic",
    level: int = 1,
    correct: bool = True,
    depths: tuple[int, ...] = (3,),
    steps: str = "1 + 1 = 2",
    stop: str = "end",
) -> ScoredResponse:
    problem = Problem(domain, level, 2_000_000_000, 0, "What is 1 + 1?", ("1 + 1 = 2",), "2", Context())
    text = f"<think>\n{steps}\n</think>2"
    spent = {"prefill": 0.0, "decode": 0.0}
    return ScoredResponse(problem, Generation(text, [9] * len(depths), list(depths), stop, spent), correct)


class Oracle:
    """Stands for a decoder: knows every chain by heart, and answers `wrong` prompts and masked domains wrongly."""

    exit_threshold, runtime = 0.9, Runtime()

    def __init__(self, problems: Sequence[Problem], wrong: Collection[str] = (), depth: int = 3) -> None:
        self.tokenizer = TOKENIZER
        self.wrong, self.depth = wrong, depth
        self._problems = {problem.prompt: problem for problem in problems}

    def fails(self, problem: Problem) -> bool:
        return problem.prompt in self.wrong

    def generate(self, asked: Sequence[str | Turns], progress: Callable[[int], None] | None = None) -> list[Generation]:
        problems = [self._problems[Turns.of(one).prompt] for one in asked]
        if progress is not None:
            progress(1)
            progress(len(asked) - 1)
        return [self._respond(problem) for problem in problems]

    def _respond(self, problem: Problem) -> Generation:
        text = render_response(problem.steps, "no idea" if self.fails(problem) else problem.answer)
        tokens, start = TOKENIZER.encode_example(problem.prompt, text)
        depths = [self.depth] * (len(tokens) - start)
        return Generation(text, tokens[start:], depths, "end", {"prefill": 0.001, "decode": 0.002})
