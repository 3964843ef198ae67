"""Chains that a verifier learns from, each token labelled by the exact checker: right ones, mutants, the model's own.

A label says whether nothing is wrong up to and with a token; at `<|end|>` whether the answer is right. What the
language model makes of the tokens is worked out in `features`.
"""

from __future__ import annotations

import random
from collections import abc
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

from tuili.engine import Depth, Sampling, Sequence, SequenceLimits, StopReason, load_scheduler
from tuili.model import LoadedModel
from tuili.steps import END_THINK, Context, Status, Verdict, check, render_response, split_response
from tuili.store import Tokenizer
from tuili.tasks import Problem, mutate, result_start, same_form, score

RIGHT, OWN = "right", "own"
Told = Callable[[int, int], None]
SLOTS, LIMITS = 64, SequenceLimits(300)
UNKNOWN = -1
"""The label of a token of which the checker cannot say whether something is wrong."""


@dataclass(frozen=True)
class Chain:
    """A prompt and a response as token ids, `<|end|>` last.

    `source` is `right`, `own` for what the model wrote, or the kind of error that was made. `labels` (1, 0 or
    `UNKNOWN`) go with the response's tokens. `ends` are the places in the response where its steps end, and that of
    `<|end|>`; `wrong` says which of them is the first that comes behind an error, None if none does. It is not `known`
    where an undecided step stands before that.
    """

    problem: str
    source: str
    ids: tuple[int, ...]
    prompt: int
    labels: tuple[int, ...]
    ends: tuple[int, ...]
    wrong: int | None
    known: bool


def label(
    tokenizer: Tokenizer, problem: Problem, prompt: abc.Sequence[int], response: abc.Sequence[int], source: str
) -> Chain | None:
    """A response with its labels; None where it is not steps and an answer, ended by `<|end|>`."""
    closing, newline = tokenizer.token_id(END_THINK), tokenizer.encode_text("\n")[0]
    if closing not in response or response[-1] != tokenizer.end_id:
        return None
    close = response.index(closing)
    breaks = [place for place in range(close) if response[place] == newline]
    if not breaks or breaks[0] != 1 or breaks[-1] != close - 1:
        return None
    spans = [(first + 1, last) for first, last in pairwise(breaks)]
    lines = [tokenizer.decode(list(response[first:last])) for first, last in spans]
    text = tokenizer.decode(list(response), skip_special_tokens=True)
    if tuple(lines) != split_response(text).steps:
        return None
    labels, wrong, known, context = [UNKNOWN] * len(response), None, True, problem.context
    labels[0] = labels[1] = 1
    for number, ((first, last), line) in enumerate(zip(spans, lines, strict=True)):
        verdict = check(line, context)
        if verdict.status is Status.INVALID:
            wrong, labels[last] = number, 0
            same = _right_tokens(tokenizer, line, verdict, context)
            if same is not None:
                labels[first : first + same] = [1 if known else UNKNOWN] * same
                labels[first + same : last] = [0] * (last - first - same)
            break
        known = known and verdict.status is Status.VALID
        labels[first : last + 1] = [1 if known else UNKNOWN] * (last + 1 - first)
        context = context.after(line, verdict)
    right = score(problem, text) == 1.0
    if wrong is None and right and known:
        labels[close:] = [1] * (len(response) - close)
    labels[-1] = int(right)
    if wrong is None and not right:
        wrong = len(spans)
    ends = (*(last for _, last in spans), len(response) - 1)
    return Chain(problem.id, source, (*prompt, *response), len(prompt), tuple(labels), ends, wrong, known)


def _right_tokens(tokenizer: Tokenizer, line: str, verdict: Verdict, context: Context) -> int | None:
    """How many tokens of a wrong line are those of the right one, where only the figures of its result are wrong."""
    start = result_start(line)
    if verdict.expected is None or not start or not same_form(line[start:], verdict.expected):
        return None
    right = line[:start] + verdict.expected
    if check(right, context).status is not Status.VALID:
        return None
    pairs = zip(tokenizer.encode_text(line), tokenizer.encode_text(right), strict=False)
    return next((place for place, (own, other) in enumerate(pairs) if own != other), None)


def rendered(loaded: LoadedModel, problem: Problem, steps: abc.Sequence[str], answer: str, source: str) -> Chain | None:
    """The chain of some steps and an answer."""
    ids, prompt = loaded.tokenizer.encode_example(problem.prompt, render_response(steps, answer))
    return label(loaded.tokenizer, problem, ids[:prompt], ids[prompt:], source)


def mutated(
    loaded: LoadedModel, problem: Problem, kinds: abc.Sequence[str], seed: int, count: int, twice: bool = False
) -> list[Chain]:
    """Up to `count` mutants of different kinds; `twice`: the last of them has a second error where one can be made."""
    rng = random.Random(f"{problem.id}/{seed}")
    found: list[Chain] = []
    for kind in rng.sample(kinds, len(kinds)):
        if len(found) == count:
            break
        mutant = mutate(problem, kind, seed)
        if twice and mutant is not None and len(found) == count - 1:
            wrong = replace(problem, steps=mutant.steps, answer=mutant.answer)
            mutant = mutate(wrong, rng.choice(kinds), seed) or mutant
        chain = mutant and rendered(loaded, problem, mutant.steps, mutant.answer, kind)
        if chain:
            found.append(chain)
    return found


@dataclass(frozen=True)
class Way:
    """A way to let the model write.

    exit: the number, from 0 on, of the exit where each token leaves; as the model would choose if None. `threshold` is
    that of its choice, its own if None.
    """

    temperature: float = 0.0
    exit: int | None = None
    threshold: float | None = None


def written(loaded: LoadedModel, asked: abc.Sequence[tuple[Problem, Way]], seed: int, tell: Told) -> list[Chain]:
    """What the model writes for each problem in its way; what it does not end itself is left out.

    `tell` is called with how many are written, of how many.
    """
    scheduler = load_scheduler(loaded.model, loaded.tokenizer, slots=SLOTS, waiting=len(asked))
    rows = []
    for number, (problem, way) in enumerate(asked):
        sampling = Sampling(temperature=way.temperature, seed=seed * len(asked) + number)
        threshold = loaded.model.config.exit_threshold if way.threshold is None else way.threshold
        depth: Depth = "auto" if way.exit is None else loaded.model.config.exit_layers[way.exit]
        rows.append(Sequence(loaded.tokenizer.encode_prompt(problem.prompt), LIMITS, sampling, depth, threshold))
        scheduler.submit(rows[-1])
    ended = 0
    while scheduler.busy:
        ended += sum(row.stop is not None for row in scheduler.step())
        tell(ended, len(rows))
    found = (
        label(loaded.tokenizer, problem, row.prompt, row.tokens, OWN)
        for (problem, _), row in zip(asked, rows, strict=True)
        if row.stop is StopReason.END
    )
    return [chain for chain in found if chain is not None]
