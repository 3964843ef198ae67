"""Which requests are admitted and which sequences start: under overload, every admitted request meets its deadline.

The clock advances only by the simulated time of the layers, so that these tests are the same on any machine.
"""

from __future__ import annotations

import gc
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from benchmarks.harness.simulated import Clock, SimulatedRunner
from benchmarks.harness.tiny import tiny_model
from tests.engine.scripted import ScriptedRunner
from tuili.engine.engine import Ticket
from tuili.engine.request import Budget, Request
from tuili.engine.runtime.load import load_engine
from tuili.engine.scheduling.admission import (
    DEADLINE_WHERE_NONE_SECONDS,
    PendingWork,
    QueueKey,
    WaitingQueue,
    predict_late,
)
from tuili.engine.scheduling.costs import REMEMBERED_RESPONSES, Costs
from tuili.engine.scheduling.scheduler import Scheduler
from tuili.engine.scheduling.warm_up import warm_up
from tuili.engine.sequence import Sequence, SequenceLimits, StopReason
from tuili.errors import InputError, Overloaded
from tuili.model import LoadedModel, TuiliForCausalLM
from tuili.store import Tokenizer

LENGTHS = (14, 20, 24, 27, 30, 33, 36, 38, 42, 46, 50, 55, 61, 66, 72, 80, 88, 93, 105, 118, 130, 143, 180, 237)
"""Tokens of responses, spread as nano's are."""
DEADLINE = 0.7
SLOTS = 4
"""In the tests of the queue, decoding a token takes 10 ms for one sequence and for four, and reading a prompt 10 ms."""


@pytest.fixture(scope="module")
def tiny() -> tuple[TuiliForCausalLM, Tokenizer]:
    return tiny_model()


@pytest.fixture
def costs() -> Costs:
    costs = Costs(SLOTS, 256)
    for together in (1, SLOTS):
        costs.step.observe(together, 0.010)
        costs.trunk.observe(together, 0.005)
    costs.prefill.observe(1, 0.010)
    for _ in range(REMEMBERED_RESPONSES):
        costs.lengths.observe(50)
    return costs


def new_sequence(deadline: float | None = None, priority: int = 0, tokens: int = 400) -> Sequence:
    return Sequence([8] * 10, SequenceLimits(tokens, deadline=deadline), priority=priority)


def submit(queue: WaitingQueue, *sequences: Sequence, now: float = 0.0, running: tuple[Sequence, ...] = ()) -> None:
    for each in sequences:
        key = QueueKey.of(each, now, len(queue))
        queue.admit(each, key, now, [PendingWork(other, 0) for other in running])
        queue.push(each, key)


def test_the_prediction_counts_prefill_decoding_and_waiting_for_a_slot(costs: Costs) -> None:
    sequences = [new_sequence(deadline=0.0) for _ in range(6)]
    late = predict_late(0.0, [PendingWork(each, 10) for each in sequences], SLOTS, costs)
    assert list(late.values()) == pytest.approx([0.54, 0.55, 0.56, 0.56, 1.06, 1.06])
    alone = predict_late(0.0, [PendingWork(sequences[0], 10)], SLOTS, costs)
    assert alone == pytest.approx({sequences[0]: 0.51})


def test_a_deadline_that_cannot_be_met_is_refused_with_the_time_after_which_it_can(costs: Costs) -> None:
    queue = WaitingQueue(100, SLOTS, costs)
    submit(queue, *(new_sequence(deadline=0.6) for _ in range(4)))
    with pytest.raises(
        Overloaded, match=r"^the deadline cannot be met behind 4 requests: ask again in 0\.5 s$"
    ) as refusal:
        submit(queue, new_sequence(deadline=0.6))
    assert refusal.value.retry_after == pytest.approx(0.45)
    submit(queue, new_sequence(deadline=0.6 + refusal.value.retry_after + 0.01))


def test_a_request_that_would_make_others_late_is_refused(costs: Costs) -> None:
    queue = WaitingQueue(100, SLOTS, costs)
    submit(queue, *(new_sequence(deadline=0.6) for _ in range(4)))
    for newcomer in (new_sequence(deadline=0.57), new_sequence(deadline=2.0, priority=1)):
        with pytest.raises(Overloaded, match=r"^[14] others would be late behind 4 requests"):
            submit(queue, newcomer)
    submit(queue, new_sequence(deadline=2.0), new_sequence())


def test_a_deadline_that_is_too_near_for_an_idle_machine_is_refused_for_good(costs: Costs) -> None:
    with pytest.raises(InputError, match=r"the deadline is in 100 ms: .* may take 255 ms"):
        submit(WaitingQueue(100, SLOTS, costs), new_sequence(deadline=0.1))
    alone = new_sequence(deadline=0.3)
    queue = WaitingQueue(100, SLOTS, costs)
    submit(queue, alone)
    assert queue.hopeless(0.0, 0) == [], "it may be short, and delays nobody"
    assert queue.hopeless(0.0, 1) == queue.hopeless(0.1, 0) == [alone]


def test_a_deadline_that_has_come_near_while_others_are_served_may_be_asked_for_again(costs: Costs) -> None:
    queue, running = WaitingQueue(100, SLOTS, costs), new_sequence()
    for deadline in (0.1, 0.2):
        with pytest.raises(Overloaded, match=r"^the deadline cannot be met behind 1 requests: ask again in"):
            submit(queue, new_sequence(deadline=deadline), running=(running,))
    assert costs.min_seconds(new_sequence()) == pytest.approx(0.255), "which is no reason for doubt"


def test_a_deadline_is_not_refused_for_ever_by_costs_that_nothing_measures_again(costs: Costs) -> None:
    queue = WaitingQueue(100, SLOTS, costs)
    refused = 0
    while not len(queue) and refused < 100:
        try:
            submit(queue, new_sequence(deadline=0.2))
        except InputError:
            refused += 1
    assert 1 < refused < 10, "255 ms are expected, so a few refusals must come first"


def test_a_sequence_that_would_make_others_late_does_not_start_before_them(costs: Costs) -> None:
    queue = WaitingQueue(100, SLOTS, costs)
    running = [PendingWork(new_sequence(), 0) for _ in range(3)]
    first, urgent = new_sequence(priority=1), new_sequence(deadline=0.6)
    submit(queue, urgent)
    submit(queue, first)
    assert queue.pop(0.0, running) is urgent
    assert queue.pop(0.0, running) is first
    assert queue.pop(0.0, running) is None


def test_a_sequence_without_a_deadline_is_queued_as_if_it_were_due_in_a_minute(costs: Costs) -> None:
    queue = WaitingQueue(100, SLOTS, costs)
    patient = new_sequence()
    submit(queue, patient)
    submit(queue, new_sequence(deadline=DEADLINE_WHERE_NONE_SECONDS + 10.0), now=DEADLINE_WHERE_NONE_SECONDS / 2)
    assert queue.pop(DEADLINE_WHERE_NONE_SECONDS, []) is patient


def test_what_a_long_prompt_takes_is_no_delay_when_it_is_first_measured(
    tiny: tuple[TuiliForCausalLM, Tokenizer],
) -> None:
    clock, end_id = Clock(), tiny[1].end_id
    scheduler = Scheduler.of(SimulatedRunner(ScriptedRunner(lambda _: 20, end_id), clock), tiny[1], clock=clock)
    warm_up(scheduler)
    assert scheduler.costs.prefill.expected(256) > 3 * scheduler.costs.prefill.expected(16) > 0
    assert scheduler.costs.jitter == 0.0


def test_a_full_queue_refuses_requests(costs: Costs) -> None:
    queue = WaitingQueue(2, SLOTS, costs)
    submit(queue, new_sequence(), new_sequence())
    with pytest.raises(Overloaded, match="2 requests wait already") as refusal:
        submit(queue, new_sequence(deadline=9.0))
    assert refusal.value.retry_after > 0


@dataclass
class Load:
    """The result of an open loop: requests arrive at random times at a fixed rate."""

    good: int = 0
    refused: int = 0
    late: list[float] = field(default_factory=list)
    """Seconds from the deadline to the end, for each admitted request."""


def offer(
    tokenizer: Tokenizer,
    rate: float,
    requests: int,
    deadlines: bool,
) -> Load:
    """Serve this load, with deadlines or first come, first served."""
    clock, random, load = Clock(), Random(1), Load()
    tokens: dict[Sequence, int] = {}

    def script(sequence: Sequence) -> int:
        return tokenizer.end_id if len(sequence.tokens) + 1 >= tokens.get(sequence, 6) else 20

    runner = SimulatedRunner(ScriptedRunner(script, tokenizer.end_id), clock)
    scheduler = Scheduler.of(runner, tokenizer, clock=clock)
    warm_up(scheduler)
    due: dict[Sequence, float] = {}
    next_arrival = clock.now
    while requests or scheduler.busy:
        if not scheduler.busy:
            clock.now = max(clock.now, next_arrival)
        while requests and next_arrival <= clock.now:
            requests -= 1
            prompt = [random.randrange(7, 265) for _ in range(random.randint(10, 70))]
            sequence = Sequence(
                prompt, SequenceLimits(400, deadline=next_arrival + DEADLINE if deadlines else None), depth=1
            )
            tokens[sequence], due[sequence] = random.choice(LENGTHS), next_arrival + DEADLINE
            next_arrival += random.expovariate(rate)
            try:
                scheduler.submit(sequence)
            except Overloaded:
                load.refused += 1
        for sequence in scheduler.step():
            if sequence.stop is not None:
                load.late.append(clock.now - due[sequence])
                load.good += sequence.stop is StopReason.END and clock.now <= due[sequence]
    return load


def test_refused_requests_take_no_memory(
    tiny: tuple[TuiliForCausalLM, Tokenizer],
) -> None:
    engine = load_engine(LoadedModel(*tiny, Path()), waiting=50)
    scheduler, tickets, refused = engine.scheduler, list[Ticket](), Counter[str]()
    sizes: list[int] = []
    for number in range(2_000):
        budget = Budget(deadline_ms=600_000.0 if number % 2 else None, max_tokens=5)
        try:
            tickets.append(engine.admit(Request(f"{number} + 1", budget, priority=number % 3)))
        except Overloaded as error:
            refused[str(error).partition(":")[0]] += 1
        if number in (500, 1_999):
            gc.collect()
            sizes.append(len(gc.get_objects()))
    assert (len(tickets), scheduler.waiting, refused) == (50, 50, Counter({"50 requests wait already": 1_950}))
    assert sizes[1] <= sizes[0] + 100, "refused requests stay in memory"
    engine.check()


def test_under_twice_the_load_more_than_twice_as_many_are_answered_in_time_and_none_is_late(
    tiny: tuple[TuiliForCausalLM, Tokenizer],
) -> None:
    """16 sequences of 73 tokens, 9.4 ms a step for all, and 6 ms to read a prompt: at most 20 requests a second."""
    ours, first_come = (offer(tiny[1], 40.0, 150, deadlines) for deadlines in (True, False))
    assert ours.good >= 2.5 * first_come.good
    assert max(ours.late) <= 0
    assert ours.good + ours.refused + len(ours.late) >= 150
    assert first_come.refused == 0
