"""Problems that training never sees, for evaluating and calibrating models: a number for each domain and level.

`registry` generates the problems; `problem` decides which split a problem belongs to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from tuili.errors import InputError
from tuili.tasks.content import Language, Wording
from tuili.tasks.problem import Problem, Split
from tuili.tasks.registry import generate

MAX_REPEATED_PROMPTS = 1000
"""After this many repeated prompts in a row, a domain counts as exhausted."""


def unseen_problems(
    domains: Sequence[str],
    levels: Sequence[int],
    per_cell: int,
    seed: int,
    split: Split = Split.TEST,
    *,
    wording: str = Wording.SEEN,
    language: str | tuple[str, ...] = Language.EN,
) -> list[Problem]:
    """`per_cell` problems of a split for each domain and level; a seed gives the same ones on every machine.

    Several languages take turns. No prompt occurs twice in a domain and level. Raises `InputError` for an unknown
    domain, level, seed, wording or language, and for a domain with too few different prompts.
    """
    languages = (language,) if isinstance(language, str) else language
    makes = [partial(generate, wording=wording, language=one) for one in languages]
    split_seed = split.seed(seed)
    return [
        problem
        for level in levels
        for domain in domains
        for problem in _distinct_problems(makes, domain, split_seed, level, per_cell)
    ]


def _distinct_problems(
    makes: Sequence[Callable[..., Problem]], domain: str, seed: int, level: int, count: int
) -> list[Problem]:
    """The first `count` problems of a seed with different prompts; the functions in `makes` take turns."""
    by_prompt: dict[str, Problem] = {}
    index = repeats = 0
    while len(by_prompt) < count:
        problem = makes[len(by_prompt) % len(makes)](domain, seed, index, level)
        index += 1
        repeats = repeats + 1 if problem.prompt in by_prompt else 0
        by_prompt.setdefault(problem.prompt, problem)
        if repeats == MAX_REPEATED_PROMPTS:
            raise InputError(
                f"domain {domain!r}, level {level}: only {len(by_prompt)} different prompts found, {count} asked for"
            )
    return list(by_prompt.values())
