"""Random requests to an engine with simulated time and a tiny or an imported model: whether any budget is overrun.

Everything that a request may ask for is drawn: budgets of every kind, priorities, depths, sampling, stop texts, prompts
that begin alike, listeners (some of which fail), cancellations at any moment, bursts, and what must be refused; see
`fuzz_inputs`. Every other engine with a tiny model has a verifier and promises; one with an imported model has neither.
After each step the engine checks itself, and each answer is compared with its request. At the end all accounts must
agree and nothing may be left in memory. `tests/engine/test_fuzz.py` runs the same with fewer requests.
"""

from __future__ import annotations

import gc
import time
import weakref
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from benchmarks.engine.fuzz_inputs import CompletingRunner, add_promises, load_tiny_model, random_request
from benchmarks.harness.command import Measured, run
from benchmarks.harness.computing import AUTO, Computing, computing
from benchmarks.harness.record import Figure
from benchmarks.harness.simulated import Clock
from tuili.engine import (
    CALIBRATION_FILE,
    Answer,
    Answered,
    Engine,
    Event,
    Outcome,
    Request,
    Scheduler,
    Sequence,
    StopReason,
    Ticket,
    TokenWritten,
    load_promises,
    load_runner,
    warm_up,
)
from tuili.errors import InputError, Overloaded
from tuili.model import LoadedModel
from tuili.store import ImportedModel

BUDGETS = ("max_steps", "max_tokens", "max_layer_steps", "deadline_ms")
REQUESTS_PER_ENGINE = 1_000
"""After which a new engine, of another size, takes over."""


class BrokenListenerError(Exception):
    """A failure of a listener that this benchmark causes."""


@dataclass(eq=False)
class Asked:
    """A request, its fate, and when it is to be cancelled: after how many steps, or at which event."""

    request: Request
    cancelled_after: int | None
    cancelled_at: int | None
    fails: bool
    asked_at: float = 0.0
    """Seconds of the engine's clock."""
    events: list[Event] = field(default_factory=list)
    ticket: Ticket | None = None
    stopped: bool = False
    """Whether it was cancelled, or its listener has failed."""


@dataclass
class Totals:
    """What came of the requests. `overruns` counts those that took more than a budget, by the budget's name."""

    offered: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    stops: Counter[str] = field(default_factory=Counter)
    tokens: int = 0
    attempts: int = 0
    overruns: Counter[str] = field(default_factory=Counter)
    latest: float = float("-inf")
    """Seconds from the deadline to the answer, in the worst case."""
    read: int = 0
    """Responses that the verifier has read."""
    promised: int = 0
    """Requests for a promise that were let in, whether they were answered in the end or not."""
    leaked: int = 0
    calculated: int = 0
    """Steps of answers into which the checker has written."""


def fuzz(requests: int, seed: int, how: Computing = AUTO, imported: ImportedModel | None = None) -> Totals:
    """Ask so many random requests; count overruns and leaks. Raises `AssertionError` where an invariant breaks.

    imported: the model that is asked, in place of tiny ones.
    """
    totals = Totals()
    with TemporaryDirectory() as scratch:
        if imported is None:
            plain, promising = (load_tiny_model(Path(scratch, name)) for name in ("plain", "promising"))
            add_promises(promising, load_runner(promising, **how._asdict()).runtime)
            models: tuple[LoadedModel | ImportedModel, ...] = plain, promising
        else:
            models = (imported,)
        for number, first in enumerate(range(0, requests, REQUESTS_PER_ENGINE)):
            loaded = models[number % len(models)]
            _Run(loaded, Random(f"{seed}, {first}"), totals, how).ask(min(REQUESTS_PER_ENGINE, requests - first))
    return totals


class _Run:
    """One engine, from its first request to its last."""

    def __init__(self, loaded: LoadedModel | ImportedModel, random: Random, totals: Totals, how: Computing) -> None:
        self.random, self.totals, self.clock = random, totals, Clock(step=1e-6)
        threshold = random.choice((0.0, 0.3, 0.97))
        slots, waiting = random.choice((1, 2, 5, 16)), random.choice((1, 8, 64))
        plain_runner = load_runner(loaded, **how._asdict(), slots=slots, verifies=True, clock=self.clock)
        if (loaded.path / CALIBRATION_FILE).is_file():
            threshold = plain_runner.exit_threshold  # with which the promises were made
        runner = CompletingRunner(plain_runner, self.clock, random, loaded.tokenizer)
        scheduler = Scheduler.of(runner, loaded.tokenizer, waiting=waiting, clock=self.clock)
        warm_up(scheduler)
        runner.warm = True
        promises = load_promises(loaded.path, threshold, plain_runner.runtime)
        self.engine = Engine(scheduler, loaded.tokenizer, promises, threshold)
        self.live: dict[Asked, int] = {}
        """Requests that have not ended, and the steps since they came."""
        self.seen = weakref.WeakSet[Sequence | Ticket | Asked]()
        self.spent: Counter[str] = Counter()

    def ask(self, requests: int) -> None:
        """Offer so many requests, in bursts, and go on until all have ended."""
        offered = 0
        while offered < requests or self.engine.busy:
            if offered < requests and self.random.random() < 0.35:
                burst = min(self.random.choice((*(1, 1, 2, 3) * 4, 40)), requests - offered)
                for _ in range(burst):
                    self._offer()
                offered += burst
            if not self.engine.busy:
                self.clock.now += self.random.uniform(0, 0.1)
            self._step()
        self._reconcile()

    def _offer(self) -> None:
        asked = Asked(
            random_request(self.random, self.engine.exits),
            self.random.randrange(40) if self.random.random() < 0.1 else None,
            self.random.randrange(8) if self.random.random() < 0.05 else None,
            self.random.random() < 0.02,
            self.clock.now,
        )
        self.totals.offered += 1
        silent = asked.cancelled_at is None and not asked.fails and self.random.random() < 0.5
        try:
            asked.ticket = self.engine.admit(asked.request, None if silent else lambda event: self._hear(asked, event))
        except (InputError, Overloaded) as error:
            self._refused(error)
            return
        self.live[asked] = 0
        self.seen.update((asked, asked.ticket, asked.ticket.sequence))

    def _refused(self, error: InputError | Overloaded) -> None:
        assert "\n" not in str(error)
        assert isinstance(error, InputError) or error.retry_after > 0
        self.totals.refused[type(error).__name__] += 1

    def _hear(self, asked: Asked, event: Event) -> None:
        assert not asked.events or not isinstance(asked.events[-1], Answered), "an event came after the answer"
        asked.events.append(event)
        if asked.cancelled_at == len(asked.events):
            self._cancel(asked)
        if asked.fails and not isinstance(event, Answered):
            asked.stopped = True
            raise BrokenListenerError

    def _cancel(self, asked: Asked) -> None:
        assert asked.ticket is not None
        asked.stopped = True
        self.engine.cancel(asked.ticket)

    def _step(self) -> None:
        for asked in list(self.live):
            if asked.cancelled_after == self.live[asked]:
                self._cancel(asked)
            self.live[asked] += 1
        with suppress(BrokenListenerError):
            self.engine.step()
        self.engine.check()
        for asked in list(self.live):
            assert asked.ticket is not None
            self.seen.add(asked.ticket.sequence)
            if asked.ticket.answer is not None:
                del self.live[asked]
                self._compare(asked, asked.ticket.answer)

    def _compare(self, asked: Asked, answer: Answer) -> None:
        """Compare an answer with its request."""
        budget, receipt, totals = asked.request.budget, answer.receipt, self.totals
        limits: list[tuple[str, float, float | None]] = [
            ("max_steps", receipt.attempts, budget.max_steps),
            ("max_tokens", receipt.tokens["generated"], budget.max_tokens),
            ("max_layer_steps", receipt.layer_steps, budget.max_layer_steps),
        ]
        if budget.deadline_ms is not None:
            ended = asked.asked_at + receipt.milliseconds["total"] / 1e3
            totals.latest = max(totals.latest, ended - asked.asked_at - budget.deadline_ms / 1e3)
            limits.append(("deadline_ms", 1e3 * (ended - asked.asked_at), budget.deadline_ms))
        if budget.error_tolerance is not None:
            totals.promised += 1
            assert receipt.promise.error_tolerance == 0.1
            assert receipt.outcome is not Outcome.BEST_EFFORT
            confident = (receipt.confidence or 0.0) >= 0.5
            assert (receipt.outcome is Outcome.ANSWERED) <= confident, "an answer below the threshold of its promise"
        totals.overruns.update(name for name, spent, limit in limits if limit is not None and spent > limit)
        assert (receipt.outcome is Outcome.CANCELLED) <= asked.stopped
        assert (receipt.outcome in (Outcome.ANSWERED, Outcome.BEST_EFFORT)) == bool(answer.answer)
        if asked.events and not asked.fails:
            assert asked.events[-1] == Answered(answer), "the last event is the answer"
            written = [event.depth for event in asked.events if isinstance(event, TokenWritten)]
            if not asked.stopped:
                told, generated = len(written), receipt.tokens["generated"]
                assert told == generated if receipt.calculator == "off" else told <= generated
                assert sum(written) <= receipt.layer_steps
        totals.calculated += receipt.written_by.get("checker", 0)
        totals.outcomes[receipt.outcome] += 1
        totals.stops[receipt.stop] += 1
        self.spent.update(
            tokens=receipt.tokens["generated"], layer_steps=receipt.layer_steps, attempts=receipt.attempts
        )

    def _reconcile(self) -> None:
        """The tokens, layers and attempts of the receipts are those that the scheduler counted, and nothing is left."""
        scheduler, stats = self.engine.scheduler, self.engine.scheduler.stats
        read = stats.ended[StopReason.READ]
        totals = self.totals
        totals.read += read
        assert stats.submitted == stats.ended.total() >= self.spent["attempts"] + read
        assert (stats.tokens, stats.layer_steps) == (self.spent["tokens"], self.spent["layer_steps"])
        assert (scheduler.running, scheduler.waiting) == (0, 0)
        assert not self.live
        self.totals.tokens += self.spent["tokens"]
        self.totals.attempts += self.spent["attempts"]
        gc.collect()
        self.totals.leaked += len(self.seen)


def measure(requests: int = 100_000, seed: int = 0, runner: str = "auto", numbers: str = "auto") -> Measured:
    """What came of so many requests. The goal: none overran a budget, and nothing leaked."""
    how, start = computing(runner, numbers), time.perf_counter()
    totals = fuzz(requests, seed, how)
    seconds = time.perf_counter() - start

    def count(value: float, unit: str = "requests") -> Figure:
        return Figure(unit, [value])

    figures = {
        "offered": count(totals.offered),
        **{f"outcome_{name}": count(number) for name, number in sorted(totals.outcomes.items())},
        **{f"refused_{name}": count(number) for name, number in sorted(totals.refused.items())},
        **{f"stop_{name}": count(number) for name, number in sorted(totals.stops.items())},
        **{f"overran_{name}": count(totals.overruns[name]) for name in BUDGETS},
        "latest": count(1e3 * totals.latest, "ms behind the deadline"),
        "leaked": count(totals.leaked, "objects"),
        "attempts": count(totals.attempts, "rows"),
        "read": count(totals.read, "rows"),
        "promised": count(totals.promised),
        "calculated": count(totals.calculated, "rows"),
        "tokens": count(totals.tokens, "tokens"),
        "requests_a_second": count(requests / seconds, "requests/s"),
    }
    config: dict[str, object] = {
        "seed": seed,
        "engine_every": REQUESTS_PER_ENGINE,
        "goal": "no budget overrun, nothing leaked",
    }
    return config | how._asdict(), figures


if __name__ == "__main__":
    run("fuzz", measure)
