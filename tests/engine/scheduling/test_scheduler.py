"""Rows that come, go deeper, are cancelled and end in any order: limits are kept, and company changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from tests.clock import Clock
from tests.tiny import loud, tiny_model
from tuili.engine.request import Depth, Sampling
from tuili.engine.runtime.torch.kv_cache import Slots
from tuili.engine.scheduling.scheduler import Scheduler
from tuili.engine.sequence import Limits, Row, Stop
from tuili.errors import InputError, Overloaded
from tuili.model import TuiliForCausalLM
from tuili.store import Tokenizer

Tiny = tuple[TuiliForCausalLM, Tokenizer]


@pytest.fixture(scope="module")
def tiny() -> Tiny:
    model, tokenizer = tiny_model(top_units=2, window=4, max_unit=4)
    loud(model)
    free = rows(9, depth=4)
    finish(Scheduler(model.eval(), tokenizer), free)
    counts = Counter(token for row in free for token in set(row.tokens[2:]) - set(row.tokens[:2]))
    ending = next(token for token, count in counts.most_common() if count < len(free))
    tokenizer = replace(tokenizer, end_id=ending)  # so that some end soon and some never
    return model, tokenizer


def finish(scheduler: Scheduler, rows: list[Row]) -> None:
    for row in rows:
        scheduler.submit(row)
    while scheduler.busy:
        scheduler.tick()
        scheduler.check()


def prompt(number: int, length: int) -> list[int]:
    return torch.randint(7, 265, (length,), generator=torch.Generator().manual_seed(number)).tolist()


def rows(count: int, **settings: object) -> list[Row]:
    return [Row(prompt(n, 3 + 5 * n), Limits(20), threshold=0.4, **settings) for n in range(count)]  # type: ignore[arg-type]


def endless(tiny: Tiny) -> Row:
    """A row that goes on to its limit."""
    for row in rows(20, depth=4):
        finish(Scheduler(*tiny), [row])
        if row.stop is Stop.LENGTH:
            return row
    raise AssertionError("all end by themselves")


def written(row: Row) -> tuple[list[int], list[int], Stop | None]:
    return row.tokens, row.depths, row.stop


@pytest.mark.parametrize("depth", ["auto", 2, 4, "exact"])
def test_company_and_chunks_change_nothing(tiny: Tiny, depth: Depth) -> None:
    alone, together = rows(9, depth=depth), rows(9, depth=depth)
    for row in alone:
        finish(Scheduler(*tiny, slots=1, prefix_bytes=0), [row])
    finish(Scheduler(*tiny, slots=4, chunk=5), together)
    assert list(map(written, alone)) == list(map(written, together))
    assert {row.stop for row in alone} == {Stop.END, Stop.LENGTH}


def test_a_prompt_that_was_read_before_is_reused_and_gives_the_same(tiny: Tiny) -> None:
    scheduler = Scheduler(*tiny, slots=2)
    base = prompt(1, 60)
    for length in (60, 45, 61):
        ids = [*base[:length], 9, 11][:-1] if length > 60 else base[:length]
        fresh, reused = (Row(list(ids), Limits(10), depth=4) for _ in range(2))
        finish(Scheduler(*tiny, prefix_bytes=0), [fresh])
        finish(scheduler, [reused])
        assert fresh.tokens == reused.tokens
        assert reused.reused == {60: 0, 45: 44, 61: 60}[length]
    assert scheduler.account.reused_tokens == 104


def test_prompts_are_kept_within_their_bytes(tiny: Tiny) -> None:
    scheduler = Scheduler(*tiny, slots=2, prefix_bytes=60_000)
    finish(scheduler, [Row(prompt(n, 40), Limits(2)) for n in range(12)])
    assert 0 < scheduler._prefixes.bytes <= 60_000
    assert 0 < len(scheduler._prefixes._saved) < 12


def test_sampling_follows_the_seed_and_not_the_company(tiny: Tiny) -> None:
    def drawn(seeds: list[int], slots: int) -> list[list[int]]:
        own = [Row(prompt(3, 9), Limits(15), Sampling(temperature=1.0, seed=seed, top_p=0.9)) for seed in seeds]
        finish(Scheduler(*tiny, slots=slots), own)
        return [row.tokens for row in own]

    together = drawn([1, 2, 1, 3], 4)
    assert together[0] == together[2] != together[1]
    assert together == [drawn([seed], 1)[0] for seed in (1, 2, 1, 3)]


def test_priority_goes_first_then_the_deadline_then_the_order(tiny: Tiny) -> None:
    order: list[str] = []
    names = {}
    scheduler = Scheduler(*tiny, slots=1, clock=Clock())
    for name, priority, deadline in [("last", 0, None), ("late", 0, 9.0), ("soon", 0, 8.0), ("first", 1, None)]:
        row = Row(prompt(1, 5), Limits(1, deadline=deadline), priority=priority)
        names[row] = name
        scheduler.submit(row)
    while scheduler.busy:
        order += [names[row] for row in scheduler.tick() if row.stop]
    assert order == ["first", "soon", "late", "last"]


def test_a_stop_text_ends_the_writing(tiny: Tiny) -> None:
    free = endless(tiny)
    assert free.stop is Stop.LENGTH
    text = tiny[1].decode(free.tokens[3:5])
    stopped = Row(free.prompt, free.limits, Sampling(stop=(text,)), depth=4)
    finish(Scheduler(*tiny), [stopped])
    assert stopped.stop is Stop.STOP
    assert stopped.tokens == free.tokens[: len(stopped.tokens)]
    assert len(stopped.tokens) <= 5


@pytest.mark.parametrize("depth", ["auto", 2, "exact"])
def test_layer_steps_are_never_overrun_and_depth_falls_before_text_is_cut(tiny: Tiny, depth: Depth) -> None:
    own = [Row(prompt(n, 9), Limits(30, layer_steps=17 + n), depth=depth, threshold=1.0) for n in range(8)]
    finish(Scheduler(*tiny), own)
    for row in own:
        assert row.layer_steps <= row.limits.layer_steps  # type: ignore[operator]
        assert row.layer_steps >= sum(row.depths)
        assert row.stop is Stop.END or row.stop is Stop.LAYERS
    if depth == "auto":
        assert any(row.depths[-1] < 4 for row in own if row.stop is Stop.LAYERS)


def test_a_deadline_lowers_the_depth_and_is_kept(tiny: Tiny) -> None:
    """A look at the clock takes 1 ms here: a token at full depth many of them, one of the trunk few."""
    free, hurried = (Row(prompt(2, 9), Limits(20, deadline=deadline), threshold=1.0) for deadline in (None, 0.15))
    for row in (free, hurried):
        finish(Scheduler(*tiny, clock=Clock(step=1e-3)), [row])
    assert set(free.depths) == {4}
    assert hurried.ended is not None
    assert hurried.ended <= 0.15 + 0.01
    assert 1 in hurried.depths
    assert len(hurried.tokens) >= 10


def test_the_prompts_of_others_make_nobody_late(tiny: Tiny) -> None:
    """Reading a token takes 1 ms here, whoever's it is."""
    clock = Clock()
    scheduler = Scheduler(*tiny, clock=clock)
    trunk = scheduler._network.trunk

    def slow(slots: Slots, rows: slice, id_AT: torch.Tensor) -> object:
        clock.now += 1e-3 * id_AT.numel()
        return trunk(slots, rows, id_AT)

    scheduler._network.trunk = slow  # type: ignore[method-assign, assignment]
    scheduler.warm()
    start = clock.now
    hurried = [Row(endless(tiny).prompt, Limits(12, deadline=start + 0.1), depth=4) for _ in range(2)]
    for length in (250, 120):
        with pytest.raises(InputError, match="the deadline is in 100 ms: to read the prompt and write"):
            scheduler.submit(Row(prompt(1, length), Limits(5, deadline=start + 0.1)))
    own = [Row(prompt(n, 10), Limits(5, deadline=start + 0.1)) for n in range(2)]
    others = [Row(prompt(9, 250), Limits(5)) for _ in range(2)]
    finish(scheduler, [*hurried, *others, *own])
    for row in (*hurried, *own):
        assert row.ended is not None
        assert row.ended <= start + 0.102
    assert all(len(row.tokens) > 5 for row in hurried)
    assert all(row.stop in (Stop.END, Stop.LENGTH) for row in others)


def test_verified_drafts_are_kept_where_they_have_been_paid_for(tiny: Tiny) -> None:
    for budget in range(17, 60, 6):
        exact, full = (Row(endless(tiny).prompt, Limits(30, budget), depth=depth) for depth in ("exact", 4))
        for row in (exact, full):
            finish(Scheduler(*tiny), [row])
        assert exact.layer_steps <= budget
        assert exact.tokens == full.tokens[: len(exact.tokens)]
        accepted = Row(full.prompt, Limits(30, budget), depth="exact")
        scheduler = Scheduler(*tiny)
        scheduler._network.exit = full_depth(scheduler)  # type: ignore[method-assign]
        finish(scheduler, [accepted])
        assert len(accepted.tokens) == budget // 4, "a trunk that always guesses right loses nothing"


def full_depth(scheduler: Scheduler) -> Callable[[torch.Tensor], torch.Tensor]:
    """Exits that all say the same."""

    def exit(hidden_ATM: torch.Tensor) -> torch.Tensor:
        logits_ATV = torch.zeros(*hidden_ATM.shape[:2], scheduler.config.vocab_size)
        logits_ATV[..., 50] = 1.0
        return logits_ATV

    return exit


def test_a_row_in_a_widened_memory_can_be_cancelled(tiny: Tiny) -> None:
    scheduler = Scheduler(*tiny, slots=3)
    own = [Row(prompt(n, length), Limits(40), depth=4) for n, length in enumerate((150, 10, 12))]
    for row in own:
        scheduler.submit(row)
    for _ in range(3):
        scheduler.tick()
    scheduler.cancel(own[0])
    scheduler.check()
    while scheduler.busy:
        scheduler.tick()
        scheduler.check()
    assert sum(scheduler.account.ended.values()) == 3


def test_what_waits_too_long_ends_in_time_without_a_slot(tiny: Tiny) -> None:
    clock = Clock()
    scheduler = Scheduler(*tiny, slots=1, clock=clock)
    first, second = (
        Row(endless(tiny).prompt, Limits(20), depth=4, priority=1),
        Row(prompt(2, 5), Limits(5, deadline=1.0)),
    )
    for row in (first, second):
        scheduler.submit(row)
    scheduler.tick()
    clock.now = 1.0
    assert second in scheduler.tick()
    assert (second.stop, second.tokens, second.seconds["queue"]) == (Stop.DEADLINE, [], 1.0)


def test_a_full_queue_and_impossible_rows_are_refused(tiny: Tiny) -> None:
    scheduler = Scheduler(*tiny, waiting=2)
    for _ in range(2):
        scheduler.submit(Row([8, 9], Limits(5)))
    with pytest.raises(Overloaded, match="2 requests wait already"):
        scheduler.submit(Row([8, 9], Limits(5)))
    for row, said in [
        (Row([], Limits(5)), "0 tokens"),
        (Row([8] * 512, Limits(5)), "512 tokens: from 1 to 511"),
        (Row([8], Limits(5), depth=5), r"depth 5 is no exit"),
        (Row([8], Limits(5, layer_steps=3), depth=4), "one token takes 4"),
        (Row([8], Limits(5), Sampling(temperature=1.0), depth="exact"), "temperature 0"),
        (Row([8], Limits(5, deadline=9e9), depth="exact"), "keeps no deadline"),
    ]:
        with pytest.raises(InputError, match=said):
            Scheduler(*tiny).submit(row)
    scheduler.check()
    assert scheduler.account.submitted == 2
