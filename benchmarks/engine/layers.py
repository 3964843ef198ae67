"""What the layers above the runner cost a token: scheduler, budgets, events, control loop, service.

The runner recites a text and runs no model; what its own calls cost is measured alone and subtracted. Times are
those of the processor, so that other work on the machine counts little; every setting is measured in turns.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import aclosing
from hashlib import sha256
from math import inf

from benchmarks.harness.command import Measured, run
from benchmarks.harness.record import Figure
from tuili.data import train_tokenizer
from tuili.engine import (
    Budget,
    Engine,
    Event,
    Observation,
    PrefillOutput,
    Promises,
    Request,
    Runtime,
    Scheduler,
    Sequence,
    SequenceLimits,
    Service,
    StepOutput,
    StepPolicy,
)
from tuili.store import Tokenizer

PROMPT = "What is 48 / 2 + 7 - 5 + 19 - 4 + 60?"
STEPS = "48 / 2 = 24\n24 + 7 = 31\n31 - 5 = 26\n26 + 19 = 45\n45 - 4 = 41\n41 + 60 = 101\n"
RESPONSE = f"<think>\n{STEPS}</think>101"
EXITS = (3, 6, 9, 12)
FULL_DEPTH_EVERY = 8
"""Of so many tokens one runs all layers, the others the trunk alone."""
DEADLINE_MS = 600_000
WORK = bytes(150_000)
"""What a step hashes in place of a model's work where the service is measured, some 100 us, so that the event loop has
time to keep up. It is subtracted."""


class RecitingRunner:
    """Decodes one text for every sequence, and asks and tells as much as a runner with a model does."""

    exit_threshold, verifies, runtime, exits, context = 0.9, False, Runtime("reciting"), EXITS, 512
    read_depth = EXITS[0]

    def __init__(self, tokenizer: Tokenizer, slots: int) -> None:
        ids, prompt = tokenizer.encode_example(PROMPT, RESPONSE)
        self.works, self.work_seconds = False, 0.0
        """Whether a step works as long as one of a small model does, beside Python; what that took so far."""
        self.slots, self.end_ids, self.response = slots, tokenizer.end_ids, ids[prompt:]
        self._decoding: list[Sequence] = []

    def start(self, sequence: Sequence) -> int:
        """See `ModelRunner`."""
        return 0

    def prefill(self, sequence: Sequence, tokens: list[int], policy: StepPolicy) -> PrefillOutput:
        """See `ModelRunner`."""
        self._decoding.append(sequence)
        return PrefillOutput(first=self.outputs([sequence], policy)[0])

    def decode(self, policy: StepPolicy) -> list[StepOutput]:
        """See `ModelRunner`."""
        if self.works:
            begun = time.thread_time()
            sha256(WORK)
            self.work_seconds += time.thread_time() - begun
        return self.outputs(self._decoding, policy)

    def rewind(self, sequence: Sequence) -> None:
        """See `ModelRunner`."""

    def outputs(self, sequences: list[Sequence], policy: StepPolicy) -> list[StepOutput]:
        """What a step gives for these sequences, which go as deep as the policy lets them."""
        going, outputs = sequences, list[StepOutput]()
        for index, depth in enumerate(EXITS):
            staying = []
            for sequence in going:
                place = len(sequence.tokens)
                if policy.may_go_deeper(sequence, index, len(going)) and place % FULL_DEPTH_EVERY == 0:
                    staying.append(sequence)
                else:
                    outputs.append(StepOutput(sequence, [self.response[place]], [depth], [0.97], depth))
            if not staying:
                break
            going = staying
            policy.group_took(index, len(going), 1e-4)
        return outputs

    def draft_length(self, sequence: Sequence) -> int:
        """See `ModelRunner`."""
        return 0

    def measure(self) -> None:
        """See `ModelRunner`."""

    def release(self, sequence: Sequence) -> None:
        """See `ModelRunner`."""
        self._decoding.remove(sequence)

    def observe(self) -> Observation | None:
        """See `ModelRunner`."""
        return None

    def check(self, decoding: Iterable[Sequence], prefilling: Sequence | None) -> None:
        """See `ModelRunner`."""


class Granting:
    """A step policy that grants everything and notes nothing."""

    timed = False

    def may_go_deeper(self, sequence: Sequence, exit_index: int, together: int) -> bool:
        """See `StepPolicy`."""
        return exit_index < len(EXITS) - 1

    def most_rows(self, sequences: int) -> float:
        """See `StepPolicy`."""
        return inf

    def trunk_reads(self, rows: int) -> None:
        """See `StepPolicy`."""

    def group_took(self, index: int, together: int, seconds: float) -> None:
        """See `StepPolicy`."""

    def exit_took(self, together: int, seconds: float, whole: bool) -> None:
        """See `StepPolicy`."""

    def drafts_took(self, tokens: int, seconds: float) -> None:
        """See `StepPolicy`."""


class Setting:
    """Requests that run together, and what is measured on them: seconds of the processor a token."""

    def __init__(self, rows: int, streamed: bool, timed: bool) -> None:
        self.rows, self._streamed = rows, streamed
        self._tokenizer = train_tokenizer([PROMPT, *[STEPS] * 20], vocabulary=300)
        runner = RecitingRunner(self._tokenizer, max(rows, 16))
        scheduler = Scheduler.of(runner, self._tokenizer)
        self._runner = runner
        self.engine = Engine(scheduler, self._tokenizer, Promises(None, "it has not been calibrated"))
        self._request = Request(PROMPT, Budget(deadline_ms=DEADLINE_MS if timed else None))

    @property
    def tokens(self) -> int:
        """Tokens of all requests together."""
        return self.rows * len(self._runner.response)

    def runner_seconds(self) -> float:
        """What the runner's own calls cost."""
        begun = time.thread_time()
        self.recite(Granting())
        return (time.thread_time() - begun) / self.tokens

    def recite(self, policy: StepPolicy) -> None:
        """Let the runner write all texts without an engine."""
        sequences = [Sequence([1], SequenceLimits()) for _ in range(self.rows)]
        for sequence in sequences:
            first = self._runner.prefill(sequence, [], policy).first
            assert first is not None
            sequence.tokens += first.tokens
        for _ in range(len(self._runner.response) - 1):
            for output in self._runner.decode(policy):
                output.sequence.tokens += output.tokens
        for sequence in sequences:
            self._runner.release(sequence)

    def engine_seconds(self) -> float:
        """The engine, from the first step to the last, with what its runner costs."""
        heard: list[Event] = []
        listener: Callable[[Event], None] | None = heard.append if self._streamed else None
        tickets = [self.engine.admit(self._request, listener) for _ in range(self.rows)]
        begun = time.thread_time()
        while self.engine.busy:
            self.engine.step()
        seconds = time.thread_time() - begun
        assert all(ticket.answer is not None and ticket.answer.answer == "101" for ticket in tickets)
        return seconds / self.tokens

    def service_seconds(self) -> float:
        """The service with an event loop that receives everything, requests and both threads included."""

        async def ask(service: Service) -> None:
            if not self._streamed:
                await service.answer(self.engine.prepare(self._request))
                return
            async with aclosing(service.batches(self.engine.prepare(self._request))) as batches:
                async for events in batches:
                    for _ in events:
                        pass

        async def ask_all() -> float:
            async with Service(self.engine) as service:
                await asyncio.gather(*(ask(service) for _ in range(self.rows)))
                self._runner.work_seconds, begun = 0.0, time.process_time()
                await asyncio.gather(*(ask(service) for _ in range(self.rows)))
                return time.process_time() - begun - self._runner.work_seconds

        self._runner.works = True
        try:
            return asyncio.run(ask_all()) / self.tokens
        finally:
            self._runner.works = False


def measure(runs: int = 15, rows: tuple[int, ...] = (1, 16)) -> Measured:
    """Microseconds a token in every setting."""
    settings = {
        f"rows_{count}{'_streamed' * streamed}{'_deadline' * timed}": Setting(count, streamed, timed)
        for count in rows
        for streamed in (False, True)
        for timed in (False, True)
    }
    seconds: dict[str, list[float]] = {}
    for _ in range(runs):
        for name, setting in settings.items():
            own = min(setting.runner_seconds() for _ in range(3))
            seconds.setdefault(f"engine_{name}", []).append(setting.engine_seconds() - own)
            seconds.setdefault(f"service_{name}", []).append(setting.service_seconds() - own)
    config = {"response": RESPONSE, "exits": EXITS, "full_depth_every": FULL_DEPTH_EVERY}
    figures = {name: Figure("us a token", [1e6 * value for value in values]) for name, values in seconds.items()}
    return config, dict(sorted(figures.items()))


if __name__ == "__main__":
    run("layers", measure)
