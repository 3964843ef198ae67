"""Random requests without end against an engine with a tiny model and a clock of its own: is any budget overrun?

Everything that a request may ask for is drawn: budgets of every kind, priorities, depths, ways of sampling, stop texts,
prompts that begin alike, listeners, some of which fail, cancellations at any moment, bursts, and what must be refused.
Every other engine has a verifier and promises.
After each step the engine checks itself, and each answer is held against its request; at the end all accounts have to
agree and nothing may be left in memory. `tests/engine/test_fuzz.py` runs the same for shorter.
"""

from __future__ import annotations

import gc
import time
import weakref
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TypeVar

import torch

from benchmarks.harness.command import Measured, run
from benchmarks.harness.record import Figure
from benchmarks.harness.simulated import Clock, SimulatedRunner
from tests.tiny import loud, save_tiny
from tuili.engine import (
    CALIBRATION_FILE,
    FEATURES,
    Answer,
    Answered,
    Budget,
    Calibration,
    Depth,
    Engine,
    Entry,
    Event,
    ModelRunner,
    Outcome,
    PrefillOutput,
    Promises,
    Request,
    Sample,
    Sampling,
    Scheduler,
    Sequence,
    StepOutput,
    StepPolicy,
    StopReason,
    Ticket,
    TokenWritten,
    load_runner,
    valid_calibration,
    warm_up,
)
from tuili.errors import InputError, Overloaded
from tuili.model.folder import LoadedModel, load_model
from tuili.model.verifier import Calibration as Curves
from tuili.model.verifier import LoadedVerifier, Verifier, VerifierConfig, read_verifier, verifier_hash, write_verifier
from tuili.store import Tokenizer
from tuili.store.lineage import model_hash

OPENINGS = ("What is 48 / 2 + 7?", "Each name stands for a number.\nP1: Leo = Zoe + 3\n", "Solve for t: ")
BUDGETS = ("max_steps", "max_tokens", "max_layer_steps", "deadline_ms")
AN_ENGINE = 1_000
"""Requests after which a new engine, of another size, takes over."""


Value = TypeVar("Value")


class BrokenListenerError(Exception):
    """What a listener raises that is meant to fail."""


@dataclass(eq=False)
class Asked:
    """A request, what its listener has heard, and when it is to be cancelled: in how many steps or at which event."""

    request: Request
    cancelled_after: int | None
    cancelled_at: int | None
    fails: bool
    at: float = 0.0
    heard: list[Event] = field(default_factory=list)
    ticket: Ticket | None = None
    told_to_stop: bool = False


@dataclass
class Tally:
    """What came of the requests. `overruns` counts those that took more than any of their budgets."""

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
    leaked: int = 0


def fuzz(requests: int, seed: int) -> Tally:
    """Ask so many random requests. Raises `AssertionError` where an invariant breaks; budgets and leaks are counted."""
    tally = Tally()
    with TemporaryDirectory() as scratch:
        plain, promising = tiny(Path(scratch, "plain")), tiny(Path(scratch, "promising"))
        promise(promising)
        for number, first in enumerate(range(0, requests, AN_ENGINE)):
            loaded = (plain, promising)[number % 2]
            _Run(loaded, Random(f"{seed}, {first}"), tally).ask(min(AN_ENGINE, requests - first))
    return tally


def tiny(folder: Path) -> LoadedModel:
    """A model of random weights that are large enough to make texts differ."""
    loaded = load_model(save_tiny(folder, top_units=2, window=4, max_unit=4))
    loud(loaded.model)
    return loaded


def promise(loaded: LoadedModel) -> None:
    """Give a model a verifier that knows nothing, and a calibration by which some answers are sure enough."""
    torch.manual_seed(1)
    line = ((-8.0, 0.0), (8.0, 1.0))
    size = VerifierConfig(loaded.model.config.hidden_size, channels=8, layers=1, heads=1)
    write_verifier(loaded.path, LoadedVerifier(Verifier(size).eval(), Curves(line, line), {}))
    entries = tuple(
        Entry(error_tolerance=0.1, max_steps=steps, max_tokens=tokens, threshold=0.5, n=100, wrong=1, bound=0.05)
        for steps in (1, 2)
        for tokens in (5, 12)
    )
    found = Calibration(
        model=model_hash(loaded.path),
        verifier=verifier_hash(loaded.path),
        exit_threshold=loaded.model.config.exit_threshold,
        delta=0.05,
        coefficients=(1.0,) + (0.0,) * (len(FEATURES) - 1),
        constant=0.0,
        rejected=0.9,
        sample=Sample(
            source="none", sha256="", fitted=0, n=100, longest_prompt=400, accuracy=0.5, calibration_error=0.0
        ),
        entries=entries,
        curves=(),
    )
    (loaded.path / CALIBRATION_FILE).write_text(found.model_dump_json(), encoding="utf-8")


class _Run:
    """One engine from its first request to its last."""

    def __init__(self, loaded: LoadedModel, random: Random, tally: Tally) -> None:
        self.random, self.tally, self.clock = random, tally, Clock(step=1e-6)
        own_threshold = loaded.model.config.exit_threshold
        threshold = random.choice((0.0, 0.3, 0.97)) if loaded.path.name == "plain" else own_threshold
        slots, waiting = random.choice((1, 2, 5, 16)), random.choice((1, 8, 64))
        verifier = read_verifier(loaded.path)
        runner = load_runner(loaded.model, loaded.tokenizer, slots=slots, verifier=verifier, clock=self.clock)
        leading = LeadingRunner(runner, loaded.tokenizer, self.clock, random)
        scheduler = Scheduler.of(leading, loaded.tokenizer, waiting=waiting, clock=self.clock)
        warm_up(scheduler)
        leading.leads = True
        promises = Promises(*valid_calibration(loaded.path, threshold))
        self.engine = Engine(scheduler, loaded.tokenizer, promises, threshold)
        self.live: dict[Asked, int] = {}
        """Requests that have not ended, with the steps made since they came."""
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
            random_request(self.random),
            self.random.randrange(40) if self.random.random() < 0.1 else None,
            self.random.randrange(8) if self.random.random() < 0.05 else None,
            self.random.random() < 0.02,
            self.clock.now,
        )
        self.tally.offered += 1
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
        self.tally.refused[type(error).__name__] += 1

    def _hear(self, asked: Asked, event: Event) -> None:
        assert not asked.heard or not isinstance(asked.heard[-1], Answered), "something came behind the answer"
        asked.heard.append(event)
        if asked.cancelled_at == len(asked.heard):
            self._cancel(asked)
        if asked.fails and not isinstance(event, Answered):
            asked.told_to_stop = True
            raise BrokenListenerError

    def _cancel(self, asked: Asked) -> None:
        assert asked.ticket is not None
        asked.told_to_stop = True
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
                self._judge(asked, asked.ticket.answer)

    def _judge(self, asked: Asked, answer: Answer) -> None:
        """Hold an answer against its request."""
        budget, receipt, tally = asked.request.budget, answer.receipt, self.tally
        limits: list[tuple[str, float, float | None]] = [
            ("max_steps", receipt.attempts, budget.max_steps),
            ("max_tokens", receipt.tokens["generated"], budget.max_tokens),
            ("max_layer_steps", receipt.layer_steps, budget.max_layer_steps),
        ]
        if budget.deadline_ms is not None:
            ended = asked.at + receipt.milliseconds["total"] / 1e3
            tally.latest = max(tally.latest, ended - asked.at - budget.deadline_ms / 1e3)
            limits.append(("deadline_ms", 1e3 * (ended - asked.at), budget.deadline_ms))
        if budget.error_tolerance is not None:
            assert receipt.promise.error_tolerance == 0.1
            assert receipt.outcome is not Outcome.BEST_EFFORT
            sure = (receipt.confidence or 0.0) >= 0.5
            assert (receipt.outcome is Outcome.ANSWERED) <= sure, "an answer that is not sure enough"
        tally.overruns.update(name for name, spent, limit in limits if limit is not None and spent > limit)
        assert (receipt.outcome is Outcome.CANCELLED) <= asked.told_to_stop
        assert (receipt.outcome in (Outcome.ANSWERED, Outcome.BEST_EFFORT)) == bool(answer.answer)
        if asked.heard and not asked.fails:
            assert asked.heard[-1] == Answered(answer), "the last that is heard is the answer"
            written = [event.depth for event in asked.heard if isinstance(event, TokenWritten)]
            if not asked.told_to_stop:
                assert len(written) == receipt.tokens["generated"]
                assert sum(written) <= receipt.layer_steps
        tally.outcomes[receipt.outcome] += 1
        tally.stops[receipt.stop] += 1
        self.spent.update(
            tokens=receipt.tokens["generated"], layer_steps=receipt.layer_steps, attempts=receipt.attempts
        )

    def _reconcile(self) -> None:
        """What was spent is what was charged, and nothing is left."""
        scheduler, account = self.engine.scheduler, self.engine.scheduler.stats
        read = account.ended[StopReason.READ]
        tally = self.tally
        tally.read += read
        assert account.submitted == account.ended.total() >= self.spent["attempts"] + read
        assert (account.tokens, account.layer_steps) == (self.spent["tokens"], self.spent["layer_steps"])
        assert (scheduler.running, scheduler.waiting) == (0, 0)
        assert not self.live
        self.tally.tokens += self.spent["tokens"]
        self.tally.attempts += self.spent["attempts"]
        gc.collect()
        self.tally.leaked += len(self.seen)


class LeadingRunner(SimulatedRunner):
    """Puts in now and then what a response is made of, so that some responses are whole."""

    def __init__(self, runner: ModelRunner, tokenizer: Tokenizer, clock: Clock, random: Random) -> None:
        super().__init__(runner, clock, lambda: random.uniform(0.8, 1.2))
        names = ("<think>", "</think>", "7", "=", "<|end|>")
        self._opening, self._closing, *self._others, self._end = map(tokenizer.token_id, names)
        self._random = random
        self.leads = False

    def prefill(self, sequence: Sequence, tokens: list[int], policy: StepPolicy) -> PrefillOutput:
        """See `ModelRunner`."""
        output = super().prefill(sequence, tokens, policy)
        return output if output.first is None else replace(output, first=self._led(output.first))

    def decode(self, policy: StepPolicy) -> list[StepOutput]:
        """See `ModelRunner`."""
        return [self._led(output) for output in super().decode(policy)]

    def _led(self, output: StepOutput) -> StepOutput:
        """The output with some tokens replaced."""
        tokens = list(output.sequence.tokens)
        for token in output.tokens:
            if self.leads and self._random.random() < 0.7:
                usual = [*self._others, self._end] if self._closing in tokens else [self._closing, *self._others]
                token = self._random.choice(usual) if tokens else self._opening
            tokens.append(token)
        return replace(output, tokens=tokens[len(output.sequence.tokens) :])


def random_request(random: Random) -> Request:
    """Anything that may be asked, some of it such that it has to be refused."""

    def sometimes(chance: float, value: Value) -> Value | None:
        return value if random.random() < chance else None

    depth: Depth = random.choice(("auto",) * 8 + (1, 2, 4) * 2 + ("exact", "exact", 7))
    budget = Budget(
        max_steps=random.choice((1, 1, 1, 2, 4)),
        max_tokens=random.choice((1, 2, 5, 12, 30)),
        max_layer_steps=sometimes(0.3, random.choice((1, 4, 9, 30, 80))),
        error_tolerance=sometimes(0.15, random.choice((0.01, 0.2, 0.2, 0.2))),
        deadline_ms=sometimes(0.4, random.choice((1.0, 20.0, 60.0, 200.0, 1_000.0)) * random.uniform(0.5, 1.5)),
    )
    stops = ("7", "1 ", "=="), ("\n",), ("</think>",)
    sampling = Sampling(
        temperature=random.choice((0.0, 0.0, 0.0, 0.7, 2.0)),
        top_p=random.choice((1.0, 0.8)),
        top_k=random.choice((0, 3)),
        seed=random.randrange(2**63),
        stop=sometimes(0.2, random.choice(stops)) or (),
    )
    if budget.error_tolerance is not None and random.random() < 0.8:
        depth, sampling = "auto", Sampling()
    tail = "".join(random.choices("0123456789+-*/ tx=\n", k=random.choice((0, 3, 10, 60))))
    prompt = random.choice((*OPENINGS * 15, "", "x" * 600)) + tail
    return Request(prompt, budget, sampling, depth, priority=random.randint(-1, 2))


def measure(requests: int = 100_000, seed: int = 0) -> Measured:
    """What came of so many requests; the goal is none that overran a budget and nothing that leaked."""
    start = time.perf_counter()
    tally = fuzz(requests, seed)
    seconds = time.perf_counter() - start

    def count(value: float, unit: str = "requests") -> Figure:
        return Figure(unit, [value])

    figures = {
        "offered": count(tally.offered),
        **{f"outcome_{name}": count(number) for name, number in sorted(tally.outcomes.items())},
        **{f"refused_{name}": count(number) for name, number in sorted(tally.refused.items())},
        **{f"stop_{name}": count(number) for name, number in sorted(tally.stops.items())},
        **{f"overran_{name}": count(tally.overruns[name]) for name in BUDGETS},
        "latest": count(1e3 * tally.latest, "ms behind the deadline"),
        "leaked": count(tally.leaked, "objects"),
        "attempts": count(tally.attempts, "rows"),
        "read": count(tally.read, "rows"),
        "tokens": count(tally.tokens, "tokens"),
        "requests_a_second": count(requests / seconds, "requests/s"),
    }
    return {"seed": seed, "engine_every": AN_ENGINE, "goal": "no budget overrun, nothing leaked"}, figures


if __name__ == "__main__":
    run("fuzz", measure)
