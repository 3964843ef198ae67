"""Tokens that a sequence gets from others, and that are read together: the model goes on as if they came one by one.

The slow twin puts each token in the place of the one that the model has decoded, at the depth of reading.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import pytest

from benchmarks.harness.simulated import Clock, SimulatedRunner
from tests.engine.runtime.dense import EXITS, THRESHOLD, asked, dense_folder, dense_step, opened, prompts, run
from tests.engine.runtime.steps import KINDS, Kind, runner_of
from tests.engine.runtime.test_dense_thinking import BIAS, made
from tuili.engine import PrefillOutput, Sampling, StepOutput, StepPolicy
from tuili.engine.request import Depth
from tuili.engine.runtime import model_runner
from tuili.engine.runtime.model_runner import StepRunner
from tuili.engine.runtime.prefix_cache import PrefixCache
from tuili.engine.runtime.thinking import ThinkingRows
from tuili.engine.scheduling.scheduler import Scheduler
from tuili.engine.sequence import Sequence, SequenceLimits, StopReason
from tuili.engine.text.value_writer import ValueWriter, Writing
from tuili.model import LoadedModel, load_model
from tuili.store import AnyTokenizer, ImportedModel

TOKENS = 24
VALUES = {3: (0, [40, 41, 42]), 9: (0, [43]), 14: (3, [50, 51]), 16: (1, [52])}
"""What is written when a text has so many tokens: how many are taken back, and what comes in their place."""


class Given:
    """A `ValueWriter` that writes what a test wants, once at each place."""

    held = 0

    def __init__(self, values: dict[int, tuple[int, list[int]]]) -> None:
        self._values, self._length = dict(values), 0
        self.again = list[int]()
        """Where tokens have been taken back: what stands before that has been read."""

    def add(self, _: int) -> Writing | None:
        self._length += 1
        if self._length not in self._values:
            return None
        back, ids = self._values.pop(self._length)
        self._length -= back
        if back:
            self.again.append(self._length)
        return Writing(back, ids)


def with_values(sequences: Iterable[Sequence], values: dict[int, tuple[int, list[int]]] = VALUES) -> list[Sequence]:
    sequences = list(sequences)
    for each in sequences:
        each.calculator = cast(ValueWriter, Given(values))
    return sequences


def final(sequence: Sequence) -> tuple[list[int], list[int], list[float]]:
    return sequence.tokens, sequence.depths, sequence.top_probs


class OneByOne(SimulatedRunner):
    """Decodes at the depth of reading where a token is given, and puts that one in the place of the decoded one."""

    def __init__(self, runner: StepRunner, texts: Iterable[Sequence]) -> None:
        super().__init__(runner, Clock())
        self._given = {tuple(each.prompt): dict(zip(each.calculated, _tokens_at(each), strict=True)) for each in texts}
        self._again = {tuple(each.prompt): cast(Given, each.calculator).again for each in texts}

    def prefill(self, sequence: Sequence, tokens: list[int], policy: StepPolicy) -> PrefillOutput:
        self._prepare([sequence])
        return super().prefill(sequence, tokens, policy)

    def decode(self, policy: StepPolicy) -> list[StepOutput]:
        inner = cast(StepRunner, self._runner)
        self._prepare(inner._decoding)
        outputs = super().decode(policy)
        for output in outputs:
            place = len(output.sequence.tokens)
            output.tokens[0] = self._given[tuple(output.sequence.prompt)].get(place, output.tokens[0])
        return outputs

    def _prepare(self, sequences: Iterable[Sequence]) -> None:
        """A row is read at full depth where the next token is known, in models whose layers have keys of their own."""
        for each in sequences:
            place, prompt = len(each.tokens), tuple(each.prompt)
            known = place in self._given[prompt] and place not in self._again[prompt]
            each.exit_threshold = 1.0 if known and self.read_depth == self.exits[-1] else THRESHOLD


def _tokens_at(sequence: Sequence) -> list[int]:
    return [sequence.tokens[place] for place in sequence.calculated]


def dense_runner(kind: str, model: ImportedModel, slots: int = 4) -> StepRunner:
    step = dense_step(kind, model, slots)
    thinking = None if step.thinking_ids is None else ThinkingRows(model.tokenizer, step.thinking_ids)
    return StepRunner(step, model.tokenizer.end_ids, prefix_cache=PrefixCache(1 << 20), thinking=thinking)


def decoded(runner: Any, tokenizer: AnyTokenizer, sequences: list[Sequence]) -> list[Sequence]:
    return run(Scheduler.of(runner, tokenizer), sequences)


def agree(found: list[Sequence], expected: list[Sequence], kind: str) -> None:
    """The same tokens, and the same depths and probabilities of those that the model has decoded."""
    for one, other in zip(found, expected, strict=True):
        assert one.tokens == other.tokens
        free = [place for place in range(len(one.tokens)) if place not in one.calculated]
        assert [one.depths[place] for place in free] == [other.depths[place] for place in free]
        probs = [[each.top_probs[place] for place in free] for each in (one, other)]
        assert probs[0] == (probs[1] if kind == "native" else pytest.approx(probs[1], abs=1e-5))


@pytest.fixture(scope="module")
def nano() -> LoadedModel:
    return load_model("nano")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> ImportedModel:
    """An imported one with exits."""
    return opened(dense_folder(tmp_path_factory.mktemp("dense"), "llama, tied", EXITS))


@pytest.mark.parametrize(("kind", "depth"), [("native", "auto"), ("native", 12), ("torch", "auto")])
def test_own_models_go_on_as_after_one_by_one(kind: Kind, depth: Depth, nano: LoadedModel) -> None:
    texts = asked(prompts(5), TOKENS, depth=depth, exit_threshold=THRESHOLD)
    runner = runner_of(kind, nano.model, nano.tokenizer, slots=3)
    found = decoded(runner, nano.tokenizer, with_values(texts))
    assert any(each.taken_back for each in found)
    plain = OneByOne(runner_of(kind, nano.model, nano.tokenizer, slots=3), found)
    agree(found, decoded(plain, nano.tokenizer, again(found)), kind)


def again(sequences: Iterable[Sequence]) -> list[Sequence]:
    """The same prompts, in texts of equal length without a calculator."""
    return [
        Sequence(each.prompt, SequenceLimits(len(each.tokens)), each.sampling, each.depth, each.exit_threshold)
        for each in sequences
    ]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("exits", [(), EXITS], ids=["full depth alone", "exits"])
def test_imported_models_go_on_as_after_one_by_one(kind: Kind, exits: tuple[int, ...], tmp_path: Path) -> None:
    model = opened(dense_folder(tmp_path, "llama, tied", exits))
    texts = asked(prompts(5), TOKENS, exit_threshold=THRESHOLD)
    found = decoded(dense_runner(kind, model), model.tokenizer, with_values(texts))
    assert any(len(set(each.depths)) > 1 for each in found) == bool(exits)
    plain = OneByOne(dense_runner(kind, model), found)
    agree(found, decoded(plain, model.tokenizer, again(found)), kind)


@pytest.mark.parametrize("exits", [(), EXITS], ids=["full depth alone", "exits"])
def test_thinking_in_few_tokens_goes_on_as_after_one_by_one(exits: tuple[int, ...], tmp_path: Path) -> None:
    """Tokens of the tags may be taken back, too."""
    model = opened(made(tmp_path / "model", exits))
    texts = asked(prompts(5), TOKENS, exit_threshold=THRESHOLD, sampling=Sampling(logit_bias=BIAS))
    found = decoded(dense_runner("native", model), model.tokenizer, with_values(texts))
    plain = OneByOne(dense_runner("native", model), found)
    agree(found, decoded(plain, model.tokenizer, again(found)), "native")


@pytest.mark.parametrize("depth", ["auto", "exact", 12])
def test_nanos_texts_do_not_depend_on_their_neighbours(depth: Depth, nano: LoadedModel) -> None:
    texts = asked(prompts(6), TOKENS, depth=depth, exit_threshold=THRESHOLD)
    together = decoded(runner_of("native", nano.model, nano.tokenizer, slots=6), nano.tokenizer, with_values(texts))
    for one in asked(prompts(6), TOKENS, depth=depth, exit_threshold=THRESHOLD):
        alone = runner_of("native", nano.model, nano.tokenizer, slots=1)
        decoded(alone, nano.tokenizer, with_values([one]))
        (same,) = (each for each in together if each.prompt == one.prompt)
        assert final(one) == final(same)


@pytest.mark.parametrize("depth", ["auto", "exact"])
def test_texts_of_imported_models_do_not_depend_on_their_neighbours(depth: Depth, model: ImportedModel) -> None:
    texts = asked(prompts(4), TOKENS, depth=depth, exit_threshold=THRESHOLD)
    together = decoded(dense_runner("native", model), model.tokenizer, with_values(texts))
    for one in asked(prompts(4), TOKENS, depth=depth, exit_threshold=THRESHOLD):
        decoded(dense_runner("native", model, 1), model.tokenizer, with_values([one]))
        (same,) = (each for each in together if each.prompt == one.prompt)
        assert final(one) == final(same)


@pytest.mark.parametrize("kind", ["nano", "imported"])
def test_drafts_change_nothing(kind: str, nano: LoadedModel, model: ImportedModel) -> None:
    """What is drafted behind a sign is dropped where the checker writes."""
    is_own = kind == "nano"
    tokenizer: AnyTokenizer = nano.tokenizer if is_own else model.tokenizer

    def at(depth: Depth) -> list[Sequence]:
        texts = with_values(asked(prompts(4), TOKENS, depth=depth))
        plain = runner_of("native", nano.model, nano.tokenizer) if is_own else dense_runner("native", model)
        return decoded(plain, tokenizer, texts)

    full = 12 if is_own else EXITS[-1]
    assert [each.tokens for each in at("exact")] == [each.tokens for each in at(full)]


def test_more_than_a_step_has_rows_for_is_read_before(model: ImportedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {2: (0, list(range(40, 52)))}

    def texts() -> list[Sequence]:
        return with_values(asked(prompts(4), TOKENS, exit_threshold=THRESHOLD), values)

    expected = decoded(dense_runner("native", model), model.tokenizer, texts())
    monkeypatch.setattr(model_runner, "READ_ROWS", 8)
    found = decoded(dense_runner("native", model), model.tokenizer, texts())
    assert list(map(final, found)) == list(map(final, expected))


@pytest.mark.parametrize("limit", range(6, 200, 13))
def test_layers_are_counted_as_they_run_and_never_more_than_the_limit(limit: int, model: ImportedModel) -> None:
    texts = [
        Sequence(prompt, SequenceLimits(TOKENS, layer_steps=limit), exit_threshold=THRESHOLD) for prompt in prompts(3)
    ]
    for each in decoded(dense_runner("native", model), model.tokenizer, with_values(texts)):
        assert each.layer_steps <= limit
        if not each.taken_back:
            assert each.layer_steps == sum(each.depths)
        assert each.stop in (StopReason.LAYERS, StopReason.LENGTH, StopReason.END)


def test_a_sequence_that_is_cancelled_has_not_read_what_was_written(tmp_path: Path) -> None:
    model = opened(dense_folder(tmp_path, "llama, tied"))
    scheduler = Scheduler.of(dense_runner("native", model), model.tokenizer)
    (sequence,) = with_values(asked(prompts(1), TOKENS), {2: (0, [40, 41, 42])})
    scheduler.submit(sequence)
    while len(sequence.tokens) < 5:
        scheduler.step()
    scheduler.check()
    assert (sequence.layer_steps, sequence.unread) == (5 * EXITS[-1], 3)
    scheduler.cancel(sequence)
    assert (sequence.layer_steps, sequence.depths) == (2 * EXITS[-1], [6, 6, 0, 0, 0])
