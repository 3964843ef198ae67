"""The one runner behind every evaluation: unseen problems in, decoded and strictly scored trials out.

Decoding is left to `engine.decode`, scoring to `tasks`; what the trials mean is worked out in the
neighbouring files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from tuili.engine import Decoder, Generation
from tuili.errors import InputError
from tuili.tasks import Problem, Split, generate, score

MAX_REPEATS = 1000
"""After so many known prompts in a row a domain is taken to have no others."""


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


def unseen_problems(
    domains: Sequence[str], levels: Sequence[int], per_cell: int, seed: int, split: Split = Split.TEST
) -> list[Problem]:
    """`per_cell` problems of a split for each domain and level, the same on every machine for a seed.

    No prompt comes twice in a domain and level. Raises `InputError` for an unknown domain, level or seed, and for
    a domain with too few different prompts.
    """
    split_seed = split.seed(seed)
    return [
        problem for level in levels for domain in domains for problem in _different(domain, split_seed, level, per_cell)
    ]


def _different(domain: str, seed: int, level: int, count: int) -> list[Problem]:
    """The first `count` problems of a seed whose prompts differ."""
    found: dict[str, Problem] = {}
    index = repeats = 0
    while len(found) < count:
        problem = generate(domain, seed, index, level)
        index += 1
        repeats = repeats + 1 if problem.prompt in found else 0
        found.setdefault(problem.prompt, problem)
        if repeats == MAX_REPEATS:
            raise InputError(
                f"domain {domain!r}, level {level}: only {len(found)} different prompts found, {count} asked for"
            )
    return list(found.values())


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
