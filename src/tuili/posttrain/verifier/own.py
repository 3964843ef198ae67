"""Tuili's own models as generators of chains: problems of all domains, or of files; responses in the step language.

`chains` defines the labels of a chain, and `generator` the interface.
"""

from __future__ import annotations

from collections import abc
from itertools import pairwise
from pathlib import Path

from torch import Tensor

from tuili.engine import Depth, Sampling, Sequence, SequenceLimits, StopReason, load_scheduler
from tuili.model import LoadedModel, features_of, load_model
from tuili.posttrain.verifier.chains import (
    DEFAULT_MODE,
    GENERATED,
    GENERATED_TOKENS,
    GENERATION_SLOTS,
    PROBLEM_SETS_PER_SEED,
    UNKNOWN_LABEL,
    Chain,
    GenerationMode,
    ProgressCallback,
    right_line,
)
from tuili.posttrain.verifier.questions import problems_in_splits, problems_of_set
from tuili.posttrain.verifier.recipe import ChainCounts, VerifierTrainingConfig
from tuili.steps import END_THINK, Status, check, read_turns, render_response, split_response
from tuili.store import Tokenizer
from tuili.tasks import Problem, Split, generate, score, trained_domains


class OwnGenerator:
    """See `Generator`. Without data, the problems are those of the domains that the model knows.

    Raises `ModelFolderError` as `load_model` does, and what `problems_in_splits` raises.
    """

    first_modes: tuple[GenerationMode, ...] = (
        DEFAULT_MODE,
        GenerationMode(exit=0),
        GenerationMode(0.7),
        GenerationMode(threshold=0.9),
        GenerationMode(1.0),
        GenerationMode(exit=-1),
        GenerationMode(1.2),
        GenerationMode(1.0, exit=-1),
    )
    attack_modes: tuple[GenerationMode, ...] = (GenerationMode(1.0), GenerationMode(1.0, exit=-1), DEFAULT_MODE)

    def __init__(self, config: VerifierTrainingConfig) -> None:
        self._config, self.loaded = config, load_model(config.model)
        context = self.loaded.model.config.max_position_embeddings
        self._given = config.data and problems_in_splits(config.data, self.loaded.tokenizer, context, config.seed)

    @property
    def path(self) -> Path:
        """See `Generator`."""
        return self.loaded.path

    @property
    def hidden_size(self) -> int:
        """See `Generator`."""
        return int(self.loaded.model.config.hidden_size)

    def problems(self, split: Split, number: int, counts: ChainCounts) -> list[Problem]:
        """See `Generator`. The count applies to each domain and level, or to all problems together if there is data."""
        config = self._config
        if self._given:
            return problems_of_set(self._given[split], number, counts, config)
        seed, languages = config.seed * PROBLEM_SETS_PER_SEED + number, config.languages
        return [
            generate(domain, split.seed(seed), index, level, language=languages[index % len(languages)])
            for domain in trained_domains(self.loaded.model.config.domains)
            for level in config.levels
            for index in range(counts.problems)
        ]

    def render(self, problem: Problem, steps: abc.Sequence[str], answer: str, source: str) -> Chain | None:
        """See `Generator`."""
        return render_chain(self.loaded, problem, steps, answer, source)

    def write(
        self, requests: abc.Sequence[tuple[Problem, GenerationMode]], seed: int, tell: ProgressCallback
    ) -> list[Chain]:
        """See `Generator`."""
        return generated_chains(self.loaded, requests, seed, tell)

    def reading_order(self, chain: Chain) -> tuple[int, ...]:
        """See `Generator`. Chains of similar length need little padding."""
        return (len(chain.ids),)

    def features(self, rows: abc.Sequence[tuple[abc.Sequence[int], int]]) -> Tensor:
        """See `Generator`."""
        return features_of(self.loaded.model, rows)


def label_response(
    tokenizer: Tokenizer, problem: Problem, prompt: abc.Sequence[int], response: abc.Sequence[int], source: str
) -> Chain | None:
    """A response with its labels; None if it does not consist of steps and an answer, ended by `<|end|>`."""
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
            right = right_line(line, verdict, context)
            if right is not None:
                pairs = zip(tokenizer.encode_text(line), tokenizer.encode_text(right), strict=False)
                same = next((place for place, (token, other) in enumerate(pairs) if token != other), 0)
                labels[first : first + same] = [1 if known else UNKNOWN_LABEL] * same
                labels[first + same : last] = [0] * (last - first - same)
            break
        known = known and verdict.status is Status.VALID
        labels[first : last + 1] = [1 if known else UNKNOWN_LABEL] * (last + 1 - first)
        context = context.after(line, verdict)
    is_right = score(problem, text) == 1.0
    if wrong is None and is_right and known:
        labels[close:] = [1] * (len(response) - close)
    labels[-1] = int(is_right)
    if wrong is None and not is_right:
        wrong = len(spans)
    ends = (*(last for _, last in spans), len(response) - 1)
    return Chain(problem.id, source, (*prompt, *response), len(prompt), tuple(labels), ends, wrong, known)


def render_chain(
    loaded: LoadedModel, problem: Problem, steps: abc.Sequence[str], answer: str, source: str
) -> Chain | None:
    """The chain of these steps and this answer; None if `label_response` returns none."""
    text, earlier = read_turns(problem.prompt, problem.earlier)
    ids, prompt = loaded.tokenizer.encode_example(text, render_response(steps, answer), earlier)
    return label_response(loaded.tokenizer, problem, ids[:prompt], ids[prompt:], source)


def generated_chains(
    loaded: LoadedModel, requests: abc.Sequence[tuple[Problem, GenerationMode]], seed: int, tell: ProgressCallback
) -> list[Chain]:
    """What the model writes for each problem in its mode, without responses that it does not end by itself."""
    scheduler = load_scheduler(loaded, numbers="fp32", slots=GENERATION_SLOTS, waiting=len(requests))
    sequences = []
    for number, (problem, mode) in enumerate(requests):
        sampling = Sampling(temperature=mode.temperature, seed=seed * len(requests) + number)
        threshold = loaded.model.config.exit_threshold if mode.threshold is None else mode.threshold
        depth: Depth = "auto" if mode.exit is None else loaded.model.config.exit_layers[mode.exit]
        prompt = loaded.tokenizer.encode_prompt(*read_turns(problem.prompt, problem.earlier))
        sequences.append(Sequence(prompt, SequenceLimits(GENERATED_TOKENS), sampling, depth, threshold))
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
