"""Chains that a verifier learns from: right ones, mutants, and what the model writes, labelled by the exact checker.

The label of a token says whether everything up to and including it is right; the label of the last token, which ends
the response, says whether the answer is right. `own` and `imported` define how a model is asked and its responses are
read, and `examples` adds the language model's features of the tokens.
"""

from __future__ import annotations

import random
from collections import abc
from collections.abc import Callable
from dataclasses import dataclass, replace

from tuili.steps import Context, Status, Verdict, check
from tuili.tasks import Problem, mutate, result_start, same_form

CORRECT, GENERATED = "right", "own"
"""The source of a chain that is right, and of a chain that the model wrote."""
UNKNOWN_LABEL = -1
"""The label of a token for which the checker cannot decide whether something is wrong."""
PROBLEM_SETS_PER_SEED = 100
"""Problem seeds for each seed of a recipe: one for the first chains, and one for each round."""
GENERATION_SLOTS, GENERATED_TOKENS = 64, 300
"""How many responses the model writes at once, and the most tokens of each."""

ProgressCallback = Callable[[int, int], None]
"""Called with how many parts are finished, and how many there are."""
RenderCallback = Callable[[Problem, abc.Sequence[str], str, str], "Chain | None"]
"""Makes a chain from a problem, steps, an answer and a source; None if these make no response."""


@dataclass(frozen=True)
class Chain:
    """A prompt and a response as token ids, including the token that ends the response.

    source: `CORRECT`, `GENERATED`, or the kind of error that was made in a mutant.
    prompt: how many of the ids belong to the prompt.
    labels: 1, 0 or `UNKNOWN_LABEL` for each token of the response.
    ends: the indices in the response where its steps end, and that of the last token.
    wrong: which of the ends is the first one after an error; None if there is no error.
    known: whether `wrong` is certain; it is not if the checker leaves an earlier step undecided.
    """

    problem: str
    source: str
    ids: tuple[int, ...]
    prompt: int
    labels: tuple[int, ...]
    ends: tuple[int, ...]
    wrong: int | None
    known: bool


@dataclass(frozen=True)
class GenerationMode:
    """How the model writes a response.

    exit: the number of the exit, from 0 on, at which every token leaves; None lets the model choose for each token.
    threshold: the certainty at which a token leaves if the model chooses; None means the model's own.
    """

    temperature: float = 0.0
    exit: int | None = None
    threshold: float | None = None


DEFAULT_MODE = GenerationMode()


def mutant_chains(
    render: RenderCallback, problem: Problem, kinds: abc.Sequence[str], seed: int, count: int, twice: bool = False
) -> list[Chain]:
    """Up to `count` mutants of different kinds; with `twice` the last one has a second error if one can be made.

    A problem without steps has none.
    """
    rng = random.Random(f"{problem.id}/{seed}")
    chains: list[Chain] = []
    for kind in rng.sample(kinds, len(kinds)) if problem.steps else ():
        if len(chains) == count:
            break
        mutant = mutate(problem, kind, seed)
        if twice and mutant is not None and len(chains) == count - 1:
            wrong = replace(problem, steps=mutant.steps, answer=mutant.answer)
            mutant = mutate(wrong, rng.choice(kinds), seed) or mutant
        chain = mutant and render(problem, mutant.steps, mutant.answer, kind)
        if chain:
            chains.append(chain)
    return chains


def right_line(line: str, verdict: Verdict, context: Context) -> str | None:
    """The right line in place of a wrong one; None if more than the figures of its result are wrong."""
    start = result_start(line)
    if verdict.expected is None or not start or not same_form(line[start:], verdict.expected):
        return None
    right = line[:start] + verdict.expected
    return right if check(right, context).status is Status.VALID else None
