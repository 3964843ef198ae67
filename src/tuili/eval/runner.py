"""The one runner behind every evaluation: problems in, decoded and strictly scored responses out.

Decoding is left to `engine.decode`, scoring to `tasks`, statistics over the scores to the neighbouring files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from tuili.engine import Decoder, Generation
from tuili.errors import InputError
from tuili.tasks import Problem, Split, generate, score

MAX_REPEATED_PROMPTS = 1000
"""After so many known prompts in a row a domain is taken to have no others."""


@dataclass(frozen=True)
class ScoredResponse:
    """One problem, the model's response to it, and whether the whole answer is right."""

    problem: Problem
    generation: Generation
    correct: bool

    @property
    def depth(self) -> float:
        """Mean number of layers that a token of the response used; 0.0 for an empty response."""
        return fmean(self.generation.depths) if self.generation.depths else 0.0


def unseen_problems(
    domains: Sequence[str], levels: Sequence[int], per_cell: int, seed: int, split: Split = Split.TEST
) -> list[Problem]:
    """`per_cell` problems of a split for each domain and level, the same on every machine for a seed.

    No prompt comes twice in a domain and level. Raises `InputError` for an unknown domain, level or seed, and for
    a domain with too few different prompts.
    """
    split_seed = split.seed(seed)
    return [
        problem
        for level in levels
        for domain in domains
        for problem in _distinct_problems(domain, split_seed, level, per_cell)
    ]


def _distinct_problems(domain: str, seed: int, level: int, count: int) -> list[Problem]:
    """The first `count` problems of a seed whose prompts differ."""
    by_prompt: dict[str, Problem] = {}
    index = repeats = 0
    while len(by_prompt) < count:
        problem = generate(domain, seed, index, level)
        index += 1
        repeats = repeats + 1 if problem.prompt in by_prompt else 0
        by_prompt.setdefault(problem.prompt, problem)
        if repeats == MAX_REPEATED_PROMPTS:
            raise InputError(
                f"domain {domain!r}, level {level}: only {len(by_prompt)} different prompts found, {count} asked for"
            )
    return list(by_prompt.values())


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

    generations = decoder.generate([problem.prompt for problem in problems], count)
    return [
        ScoredResponse(problem, generation, score(problem, generation.text) == 1.0)
        for problem, generation in zip(problems, generations, strict=True)
    ]
