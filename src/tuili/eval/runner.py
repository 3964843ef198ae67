"""The one runner behind every evaluation: unseen problems in, decoded and strictly scored trials out.

Decoding is left to `engine.decode`, scoring to `tasks`; what the trials mean is worked out in the
neighbouring files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from tuili.engine.decode import Decoder, Generation
from tuili.tasks import Problem, Split, generate, score


@dataclass(frozen=True)
class Trial:
    """One problem, what the model answered, and whether the whole answer is right."""

    problem: Problem
    generation: Generation
    correct: bool

    @property
    def depth(self) -> float:
        """Mean number of layers a token of the response used; 0.0 for an empty response."""
        return fmean(self.generation.depths) if self.generation.depths else 0.0


def unseen_problems(domains: Sequence[str], levels: Sequence[int], per_cell: int, seed: int) -> list[Problem]:
    """`per_cell` problems of the test split for each domain and level, the same on every machine for a seed.

    Raises `InputError` for an unknown domain, level or seed.
    """
    split_seed = Split.TEST.seed(seed)
    return [
        generate(domain, split_seed, index, level)
        for level in levels
        for domain in domains
        for index in range(per_cell)
    ]


def run(
    decoder: Decoder, problems: Sequence[Problem], progress: Callable[[int, int], None] | None = None
) -> list[Trial]:
    """Decode every problem's prompt and score it; `progress` is called with (finished, total)."""
    finished = 0

    def count(answered: int) -> None:
        nonlocal finished
        finished += answered
        if progress is not None:
            progress(finished, len(problems))

    generations = decoder.generate([problem.prompt for problem in problems], count)
    return [
        Trial(problem, generation, score(problem, generation.text) == 1.0)
        for problem, generation in zip(problems, generations, strict=True)
    ]
