"""Sequences start, go deeper, are cancelled and end in any order: limits are kept, and no sequence changes another."""

from __future__ import annotations

from collections import Counter, abc
from dataclasses import replace
from typing import Any

import pytest
import torch

from benchmarks.harness.simulated import Clock
from benchmarks.harness.tiny import randomize_weights, tiny_model
from tests.engine.runtime.steps import KINDS, Kind, scheduler_of, step_of
from tuili.engine.request import Depth, Sampling
from tuili.engine.runtime.model_runner import StepRunner
from tuili.engine.runtime.prefix_cache import PrefixCache
from tuili.engine.runtime.step import ModelStep, StepBatch
from tuili.engine.runtime.token_rows import TokenRow
from tuili.engine.scheduling.scheduler import Scheduler
from tuili.engine.scheduling.warm_up import warm_up
from tuili.engine.sequence import Sequence, SequenceLimits, StopReason
from tuili.errors import InputError, Overloaded
from tuili.model import TuiliForCausalLM
from tuili.native import Among
from tuili.store import Tokenizer

Tiny = tuple[Kind, TuiliForCausalLM, Tokenizer]


@pytest.fixture(scope="module", params=KINDS)
def tiny(request: pytest.FixtureRequest) -> Tiny:
    model, tokenizer = tiny_model(top_units=2, window=4, max_unit=4)
    randomize_weights(model)
    unlimited = make_sequences(9, depth=4)
    finish(scheduler_of(request.param, model.eval(), tokenizer), unlimited)
    counts = Counter(token for sequence in unlimited for token in set(sequence.tokens[2:]) - set(sequence.tokens[:2]))
    end_id = next(token for token, count in counts.most_common() if count < len(unlimited))
    tokenizer = replace(tokenizer, end_id=end_id)  # so that some sequences end soon and some never
    return request.param, model, tokenizer


def finish(scheduler: Scheduler, sequences: list[Sequence]) -> None:
    for sequence in sequences:
        scheduler.submit(sequence)
    while scheduler.busy:
        scheduler.step()
        scheduler.check()


def prompt(number: int, length: int) -> list[int]:
    return torch.randint(7, 265, (length,), generator=torch.Generator().manual_seed(number)).tolist()


def make_sequences(count: int, **settings: object) -> list[Sequence]:
    return [Sequence(prompt(n, 3 + 5 * n), SequenceLimits(20), exit_threshold=0.4, **settings) for n in range(count)]  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def endless(tiny: Tiny) -> Sequence:
    """A sequence that goes on to its limit."""
    for sequence in make_sequences(20, depth=4):
        finish(scheduler_of(*tiny), [sequence])
        if sequence.stop is StopReason.LENGTH:
            return sequence
    raise AssertionError("all end by themselves")


def written(sequence: Sequence) -> tuple[list[int], list[int], StopReason | None]:
    return sequence.tokens, sequence.depths, sequence.stop


@pytest.mark.parametrize("depth", ["auto", 2, 4, "exact"])
def test_other_sequences_and_chunks_change_nothing(tiny: Tiny, depth: Depth) -> None:
    together, every = make_sequences(9, depth=depth), 4 if tiny[0] == "torch" else 1  # torch is slow
    finish(scheduler_of(*tiny, slots=4, chunk=5), together)
    for sequence, other in list(zip(make_sequences(9, depth=depth), together, strict=True))[::every]:
        finish(scheduler_of(*tiny, slots=1, prefix_cache_bytes=0), [sequence])
        assert written(sequence) == written(other)
    assert {sequence.stop for sequence in together} == {StopReason.END, StopReason.LENGTH}


def test_a_prompt_in_the_prefix_cache_is_reused_and_gives_the_same_tokens(tiny: Tiny) -> None:
    scheduler = scheduler_of(*tiny, slots=2)
    base = prompt(1, 60)
    for length in (60, 45, 61):
        ids = [*base[:length], 9, 11][:-1] if length > 60 else base[:length]
        fresh, reused = (Sequence(list(ids), SequenceLimits(10), depth=4) for _ in range(2))
        finish(scheduler_of(*tiny, prefix_cache_bytes=0), [fresh])
        finish(scheduler, [reused])
        assert fresh.tokens == reused.tokens
        assert reused.cached_tokens == {60: 0, 45: 44, 61: 60}[length]
    assert scheduler.stats.cached_tokens == 104


def test_the_prefix_cache_keeps_to_its_bytes(tiny: Tiny) -> None:
    kind, model, tokenizer = tiny
    cache = PrefixCache(60_000)
    runner = StepRunner(step_of(kind, model, slots=2), tokenizer.end_ids, prefix_cache=cache)
    finish(Scheduler.of(runner, tokenizer), [Sequence(prompt(n, 40), SequenceLimits(2)) for n in range(12)])
    assert 0 < cache.bytes <= 60_000
    assert 0 < len(cache) < 12


def test_sampling_depends_on_the_seed_and_not_on_other_sequences(tiny: Tiny) -> None:
    def drawn(seeds: list[int], slots: int) -> list[list[int]]:
        sequences = [
            Sequence(prompt(3, 9), SequenceLimits(15), Sampling(temperature=1.0, seed=seed, top_p=0.9))
            for seed in seeds
        ]
        finish(scheduler_of(*tiny, slots=slots), sequences)
        return [sequence.tokens for sequence in sequences]

    together = drawn([1, 2, 1, 3], 4)
    assert together[0] == together[2] != together[1]
    assert together == [drawn([seed], 1)[0] for seed in (1, 2, 1, 3)]


def test_the_queue_is_ordered_by_priority_then_deadline_then_arrival(tiny: Tiny) -> None:
    order: list[str] = []
    names = {}
    scheduler = scheduler_of(*tiny, slots=1, clock=Clock())
    for name, priority, deadline in [("last", 0, None), ("late", 0, 9.0), ("soon", 0, 8.0), ("first", 1, None)]:
        sequence = Sequence(prompt(1, 5), SequenceLimits(1, deadline=deadline), priority=priority)
        names[sequence] = name
        scheduler.submit(sequence)
    while scheduler.busy:
        order += [names[sequence] for sequence in scheduler.step() if sequence.stop]
    assert order == ["first", "soon", "late", "last"]


def test_a_stop_text_ends_the_sequence(tiny: Tiny, endless: Sequence) -> None:
    text = tiny[2].decode(endless.tokens[3:5])
    stopped = Sequence(endless.prompt, endless.limits, Sampling(stop=(text,)), depth=4)
    finish(scheduler_of(*tiny), [stopped])
    assert stopped.stop is StopReason.STOP
    assert stopped.tokens == endless.tokens[: len(stopped.tokens)]
    assert len(stopped.tokens) <= 5


@pytest.mark.parametrize("depth", ["auto", 2, "exact"])
def test_layer_steps_are_never_overrun_and_depth_falls_before_text_is_cut(tiny: Tiny, depth: Depth) -> None:
    sequences = [
        Sequence(prompt(n, 9), SequenceLimits(30, layer_steps=17 + n), depth=depth, exit_threshold=1.0)
        for n in range(8)
    ]
    finish(scheduler_of(*tiny), sequences)
    for sequence in sequences:
        assert sequence.layer_steps <= sequence.limits.layer_steps  # type: ignore[operator]
        assert sequence.layer_steps >= sum(sequence.depths)
        assert sequence.stop is StopReason.END or sequence.stop is StopReason.LAYERS
    if depth == "auto":
        assert any(sequence.depths[-1] < 4 for sequence in sequences if sequence.stop is StopReason.LAYERS)


def test_a_deadline_lowers_the_depth_and_is_kept(tiny: Tiny) -> None:
    """Each reading of the clock takes 1 ms here: many for a token of full depth, few for a token of the trunk."""
    unlimited, urgent = (
        Sequence(prompt(2, 9), SequenceLimits(20, deadline=deadline), exit_threshold=1.0) for deadline in (None, 0.15)
    )
    for sequence in (unlimited, urgent):
        finish(scheduler_of(*tiny, clock=Clock(step=1e-3)), [sequence])
    assert set(unlimited.depths) == {4}
    assert urgent.ended_at is not None
    assert urgent.ended_at <= 0.15 + 0.01
    assert 1 in urgent.depths
    assert len(urgent.tokens) >= 10


def test_reading_the_prompts_of_others_makes_no_sequence_late(
    tiny: Tiny, endless: Sequence, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading a token takes 1 ms here, for every sequence."""
    kind, model, tokenizer = tiny
    clock = Clock()
    step = step_of(kind, model)
    trunk = step.trunk

    def slow_trunk(batch: StepBatch, count: int) -> None:
        clock.now += 1e-3 * count
        trunk(batch, count)

    monkeypatch.setattr(step, "trunk", slow_trunk)
    runner = StepRunner(step, tokenizer.end_ids, prefix_cache=PrefixCache(2**20), clock=clock)
    scheduler = Scheduler.of(runner, tokenizer, clock=clock)
    warm_up(scheduler)
    start = clock.now
    urgent = [Sequence(endless.prompt, SequenceLimits(12, deadline=start + 0.1), depth=4) for _ in range(2)]
    for length in (120, 250):
        with pytest.raises(InputError, match="the deadline is in 100 ms: to read the prompt and write"):
            scheduler.submit(Sequence(prompt(1, length), SequenceLimits(5, deadline=start + 0.1)))
    sequences = [Sequence(prompt(n, 10), SequenceLimits(5, deadline=start + 0.1)) for n in range(2)]
    others = [Sequence(prompt(9, 250), SequenceLimits(5)) for _ in range(2)]
    finish(scheduler, [*urgent, *others, *sequences])
    for sequence in (*urgent, *sequences):
        assert sequence.ended_at is not None
        assert sequence.ended_at <= start + 0.102
    assert all(len(sequence.tokens) > 5 for sequence in urgent)
    assert all(sequence.stop in (StopReason.END, StopReason.LENGTH) for sequence in others)


def test_accepted_drafts_are_kept_within_the_layer_steps(
    tiny: Tiny, endless: Sequence, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = endless.prompt
    for budget in range(17, 60, 21 if tiny[0] == "torch" else 6):
        exact, full = (Sequence(list(ids), SequenceLimits(30, budget), depth=depth) for depth in ("exact", 4))
        for sequence in (exact, full):
            finish(scheduler_of(*tiny), [sequence])
        assert exact.layer_steps <= budget
        assert exact.tokens == full.tokens[: len(exact.tokens)]
        accepted = Sequence(full.prompt, SequenceLimits(30, budget), depth="exact")
        kind, model, tokenizer = tiny
        step = step_of(kind, model)
        monkeypatch.setattr(step, "exit", always_50)
        runner = StepRunner(step, tokenizer.end_ids, prefix_cache=PrefixCache(0))
        finish(Scheduler.of(runner, tokenizer), [accepted])
        assert len(accepted.tokens) == budget // 4, "a trunk whose drafts are always right loses nothing"


def always_50(batch: StepBatch, count: int, among: Among = "all") -> None:
    """An exit at which all rows write the same token."""
    batch.best[batch.going[:count]] = 50


def test_a_sequence_in_a_grown_slot_can_be_cancelled(tiny: Tiny) -> None:
    scheduler = scheduler_of(*tiny, slots=3)
    sequences = [Sequence(prompt(n, length), SequenceLimits(40), depth=4) for n, length in enumerate((150, 10, 12))]
    for sequence in sequences:
        scheduler.submit(sequence)
    for _ in range(3):
        scheduler.step()
    scheduler.cancel(sequences[0])
    scheduler.check()
    while scheduler.busy:
        scheduler.step()
        scheduler.check()
    assert sum(scheduler.stats.ended.values()) == 3


def test_a_sequence_that_waits_too_long_ends_at_its_deadline_without_a_slot(tiny: Tiny, endless: Sequence) -> None:
    clock = Clock()
    scheduler = scheduler_of(*tiny, slots=1, clock=clock)
    first, second = (
        Sequence(endless.prompt, SequenceLimits(20), depth=4, priority=1),
        Sequence(prompt(2, 5), SequenceLimits(5, deadline=1.0)),
    )
    for sequence in (first, second):
        scheduler.submit(sequence)
    scheduler.step()
    clock.now = 1.0
    assert second in scheduler.step()
    assert (second.stop, second.tokens, second.seconds["queue"]) == (StopReason.DEADLINE, [], 1.0)


def test_impossible_sequences_are_refused_and_so_are_all_when_the_queue_is_full(tiny: Tiny) -> None:
    scheduler = scheduler_of(*tiny, waiting=2)
    for _ in range(2):
        scheduler.submit(Sequence([8, 9], SequenceLimits(5)))
    with pytest.raises(Overloaded, match="2 requests wait already"):
        scheduler.submit(Sequence([8, 9], SequenceLimits(5)))
    for sequence, message in [
        (Sequence([], SequenceLimits(5)), "0 tokens"),
        (Sequence([8] * 512, SequenceLimits(5)), "512 tokens: from 1 to 511"),
        (Sequence([8], SequenceLimits(5), depth=5), r"depth 5 is no exit"),
        (Sequence([8], SequenceLimits(5, layer_steps=3), depth=4), "one token takes 4"),
        (Sequence([8], SequenceLimits(5), Sampling(temperature=1.0), depth="exact"), "temperature 0"),
        (Sequence([8], SequenceLimits(5, deadline=9e9), depth="exact"), "keeps no deadline"),
    ]:
        with pytest.raises(InputError, match=message):
            scheduler_of(*tiny).submit(sequence)
    scheduler.check()
    assert scheduler.stats.submitted == 2


def test_an_error_while_a_sequence_gets_its_slot_ends_no_other(tiny: Tiny) -> None:
    kind, model, tokenizer = tiny

    class Failing(PrefixCache):
        fails = True

        def load(self, step: ModelStep[Any], slot: int, row: TokenRow, ids: abc.Sequence[int]) -> None:
            if self.fails:
                raise MemoryError
            super().load(step, slot, row, ids)

    cache = Failing(0)
    runner = StepRunner(step_of(kind, model), tokenizer.end_ids, prefix_cache=cache)
    scheduler = Scheduler.of(runner, tokenizer)
    broken, sound = (Sequence(prompt(n, 9), SequenceLimits(3), depth=4) for n in range(2))
    scheduler.submit(broken)
    with pytest.raises(MemoryError):
        scheduler.step()
    scheduler.cancel(broken)
    cache.fails = False
    finish(scheduler, [sound])
    assert len(sound.tokens) == 3


def test_one_step_reads_all_that_fits_a_chunk_even_where_some_of_it_ends(tiny: Tiny, endless: Sequence) -> None:
    scheduler = scheduler_of(*tiny, slots=8, chunk=100)
    writing = Sequence(endless.prompt, SequenceLimits(20), depth=4)
    scheduler.submit(writing)
    scheduler.step()
    read = [Sequence(prompt(n, 30), SequenceLimits(1), score_from=1) for n in range(5)]
    for sequence in read:
        scheduler.submit(sequence)
    ended = [sum(each.stop is StopReason.READ for each in read) for _ in range(3) if scheduler.step()]
    assert ended == [3, 3, 5], "a hundred tokens a step, and decoding in between"
    assert len(writing.tokens) == 3
    scheduler.check()
