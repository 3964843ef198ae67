"""Chains that a verifier learns from: right ones, mutants, and what the model writes, labelled by the exact checker.

The label of a token says whether nothing is wrong up to that token and with it; the label of the last one, which ends
the response, says whether the answer is right. How a model is asked and its responses are read is left to `own` and
`imported`, the language model's features of the tokens to `examples`.
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
"""The label of a token of which the checker cannot say whether something is wrong."""
PROBLEM_SETS_PER_SEED = 100
"""Seeds of problems that one seed of a recipe has: one for the first chains, and one for each round."""
GENERATION_SLOTS, GENERATED_TOKENS = 64, 300
"""Responses that the model writes at once, and the tokens that each may have."""

ProgressCallback = Callable[[int, int], None]
"""Called with how many parts are finished, and how many there are."""
RenderCallback = Callable[[Problem, abc.Sequence[str], str, str], "Chain | None"]
"""Makes the chain of a problem, steps, an answer and a source; None where these make no response."""


@dataclass(frozen=True)
class Chain:
    """A prompt and a response as token ids, the token that ends it last.

    source: `CORRECT`, `GENERATED`, or the kind of error that was made in a mutant.
    prompt: how many of the ids belong to the prompt.
    labels: 1, 0 or `UNKNOWN_LABEL` for each token of the response.
    ends: the indices in the response where its steps end, and that of the last token.
    wrong: which of the ends is the first one behind an error; None if there is no error.
    known: whether `wrong` is certain, which it is not where the checker leaves a step before it undecided.
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
    threshold: the certainty at which a token leaves where the model chooses; None takes the model's own.
    """

    temperature: float = 0.0
    exit: int | None = None
    threshold: float | None = None


DEFAULT_MODE = GenerationMode()


def mutant_chains(
    render: RenderCallback, problem: Problem, kinds: abc.Sequence[str], seed: int, count: int, twice: bool = False
) -> list[Chain]:
    """Up to `count` mutants of different kinds; with `twice` the last one has a second error where one can be made.

    There is none of a problem without steps.
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
    """What stands in the place of a wrong line; None if more than the figures of its result are wrong."""
    start = result_start(line)
    if verdict.expected is None or not start or not same_form(line[start:], verdict.expected):
        return None
    right = line[:start] + verdict.expected
    return right if check(right, context).status is Status.VALID else None
