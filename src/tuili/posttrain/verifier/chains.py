"""Chains that a verifier learns from: right ones, mutants, and what the model writes, labelled by the exact checker.

The label of a token says whether nothing is wrong up to that token and with it; the label of `<|end|>` says whether the
answer is right. The language model's features of the tokens are left to `examples`.
"""

from __future__ import annotations

import random
from collections import abc
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

from tuili.engine import Depth, Sampling, Sequence, SequenceLimits, StopReason, load_scheduler
from tuili.model import LoadedModel
from tuili.steps import END_THINK, Context, Status, Verdict, check, read_turns, render_response, split_response
from tuili.store import Tokenizer
from tuili.tasks import Problem, mutate, result_start, same_form, score

CORRECT, GENERATED = "right", "own"
"""The source of a chain that is right, and of a chain that the model wrote."""
UNKNOWN_LABEL = -1
"""The label of a token of which the checker cannot say whether something is wrong."""
GENERATION_SLOTS = 64
"""Responses that the model writes at once."""
GENERATION_LIMITS = SequenceLimits(300)
"""The model may write so many tokens of a response."""

ProgressCallback = Callable[[int, int], None]
"""Called with how many parts are finished, and how many there are."""


@dataclass(frozen=True)
class Chain:
    """A prompt and a response as token ids, `<|end|>` last.

    source: `CORRECT`, `GENERATED`, or the kind of error that was made in a mutant.
    prompt: how many of the ids belong to the prompt.
    labels: 1, 0 or `UNKNOWN_LABEL` for each token of the response.
    ends: the indices in the response where its steps end, and the index of `<|end|>`.
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


def label_response(
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
    labels, wrong, known, context = [UNKNOWN_LABEL] * len(response), None, True, problem.context
    labels[0] = labels[1] = 1
    for number, ((first, last), line) in enumerate(zip(spans, lines, strict=True)):
        verdict = check(line, context)
        if verdict.status is Status.INVALID:
            wrong, labels[last] = number, 0
            same = _right_tokens(tokenizer, line, verdict, context)
            if same is not None:
                labels[first : first + same] = [1 if known else UNKNOWN_LABEL] * same
                labels[first + same : last] = [0] * (last - first - same)
            break
        known = known and verdict.status is Status.VALID
        labels[first : last + 1] = [1 if known else UNKNOWN_LABEL] * (last + 1 - first)
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
    """How many tokens a wrong line shares with the right one; None if more than the figures of its result are wrong."""
    start = result_start(line)
    if verdict.expected is None or not start or not same_form(line[start:], verdict.expected):
        return None
    right = line[:start] + verdict.expected
    if check(right, context).status is not Status.VALID:
        return None
    pairs = zip(tokenizer.encode_text(line), tokenizer.encode_text(right), strict=False)
    return next((place for place, (token, right_token) in enumerate(pairs) if token != right_token), None)


def render_chain(
    loaded: LoadedModel, problem: Problem, steps: abc.Sequence[str], answer: str, source: str
) -> Chain | None:
    """The chain of these steps and this answer; None where `label_response` gives none."""
    text, earlier = read_turns(problem.prompt, problem.earlier)
    ids, prompt = loaded.tokenizer.encode_example(text, render_response(steps, answer), earlier)
    return label_response(loaded.tokenizer, problem, ids[:prompt], ids[prompt:], source)


def mutant_chains(
    loaded: LoadedModel, problem: Problem, kinds: abc.Sequence[str], seed: int, count: int, twice: bool = False
) -> list[Chain]:
    """Up to `count` mutants of different kinds; with `twice` the last one has a second error where one can be made."""
    rng = random.Random(f"{problem.id}/{seed}")
    chains: list[Chain] = []
    for kind in rng.sample(kinds, len(kinds)):
        if len(chains) == count:
            break
        mutant = mutate(problem, kind, seed)
        if twice and mutant is not None and len(chains) == count - 1:
            wrong = replace(problem, steps=mutant.steps, answer=mutant.answer)
            mutant = mutate(wrong, rng.choice(kinds), seed) or mutant
        chain = mutant and render_chain(loaded, problem, mutant.steps, mutant.answer, kind)
        if chain:
            chains.append(chain)
    return chains


@dataclass(frozen=True)
class GenerationMode:
    """How the model writes a response.

    exit: the number of the exit, from 0 on, at which every token leaves; None lets the model choose for each token.
    threshold: the certainty at which a token leaves where the model chooses; None takes the model's own.
    """

    temperature: float = 0.0
    exit: int | None = None
    threshold: float | None = None


def generated_chains(
    loaded: LoadedModel, requests: abc.Sequence[tuple[Problem, GenerationMode]], seed: int, tell: ProgressCallback
) -> list[Chain]:
    """What the model writes for each problem in its mode, without the responses that it does not end by itself."""
    scheduler = load_scheduler(loaded, numbers="fp32", slots=GENERATION_SLOTS, waiting=len(requests))
    sequences = []
    for number, (problem, mode) in enumerate(requests):
        sampling = Sampling(temperature=mode.temperature, seed=seed * len(requests) + number)
        threshold = loaded.model.config.exit_threshold if mode.threshold is None else mode.threshold
        depth: Depth = "auto" if mode.exit is None else loaded.model.config.exit_layers[mode.exit]
        prompt = loaded.tokenizer.encode_prompt(*read_turns(problem.prompt, problem.earlier))
        sequences.append(Sequence(prompt, GENERATION_LIMITS, sampling, depth, threshold))
        scheduler.submit(sequences[-1])
    ended = 0
    while scheduler.busy:
        ended += sum(sequence.stop is not None for sequence in scheduler.step())
        tell(ended, len(sequences))
    chains = (
        label_response(loaded.tokenizer, problem, sequence.prompt, sequence.tokens, GENERATED)
        for (problem, _), sequence in zip(requests, sequences, strict=True)
        if sequence.stop is StopReason.END
    )
    return [chain for chain in chains if chain is not None]
