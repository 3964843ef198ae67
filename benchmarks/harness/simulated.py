"""Simulated time: a clock that goes on only where it is told to, and a model runner whose work takes time by it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tuili.engine import ModelRunner, Observation, PrefillOutput, Sequence, StepOutput, StepPolicy


@dataclass
class Clock:
    """Goes on by `step` seconds with each look, and by what is added to `now`."""

    now: float = 0.0
    step: float = 0.0

    def __call__(self) -> float:
        self.now += self.step
        return self.now


class SimulatedRunner:
    """A runner whose work takes as many milliseconds as that of nano on one core, each time multiplied by a jitter."""

    def __init__(self, runner: ModelRunner, clock: Clock, jitter: Callable[[], float] = lambda: 1.0) -> None:
        self._runner, self._clock, self._jitter = runner, clock, jitter
        self.slots, self.context, self.exits, self.end_ids = runner.slots, runner.context, runner.exits, runner.end_ids
        self.exit_threshold, self.verifies, self.runtime = runner.exit_threshold, runner.verifies, runner.runtime
        self.read_depth = runner.read_depth
        self._decoding = 0

    def start(self, sequence: Sequence) -> int:
        """See `ModelRunner`."""
        return self._runner.start(sequence)

    def prefill(self, sequence: Sequence, tokens: list[int], policy: StepPolicy) -> PrefillOutput:
        """See `ModelRunner`."""
        self.take(3.4 + 0.1 * (len(tokens) - 1))
        output = self._runner.prefill(sequence, tokens, _SimulatedPolicy(self, policy))
        if output.layer_steps:
            self.take(3.0 + 0.3 * output.layer_steps / self.exits[-1])
        self._decoding += output.first is not None
        return output

    def decode(self, policy: StepPolicy) -> list[StepOutput]:
        """See `ModelRunner`."""
        self.take(3.0 + 0.4 * self._decoding)
        return self._runner.decode(_SimulatedPolicy(self, policy))

    def read(self, rows: int) -> None:
        """Take the time of rows that a step reads beside one for each sequence: those of looked-up drafts."""
        if rows > self._decoding:
            self.take(0.4 * (rows - self._decoding))

    def rewind(self, sequence: Sequence) -> None:
        """See `ModelRunner`."""
        self._runner.rewind(sequence)

    def draft_length(self, sequence: Sequence) -> int:
        """See `ModelRunner`."""
        return self._runner.draft_length(sequence)

    def measure(self) -> None:
        """See `ModelRunner`."""

    def release(self, sequence: Sequence) -> None:
        """See `ModelRunner`."""
        self._decoding -= sequence.first_token_at is not None
        self._runner.release(sequence)

    def observe(self) -> Observation | None:
        """See `ModelRunner`."""
        return self._runner.observe()

    def check(self, decoding: Iterable[Sequence], prefilling: Sequence | None) -> None:
        """See `ModelRunner`."""
        self._runner.check(decoding, prefilling)

    def take(self, milliseconds: float) -> float:
        """Let the clock go on. Returns the seconds."""
        seconds = self._jitter() * 1e-3 * milliseconds
        self._clock.now += seconds
        return seconds


class _SimulatedPolicy:
    """A step policy to which groups of layers and drafts take simulated time."""

    def __init__(self, runner: SimulatedRunner, policy: StepPolicy) -> None:
        self._runner, self._policy = runner, policy

    @property
    def timed(self) -> bool:
        return self._policy.timed

    def may_go_deeper(self, sequence: Sequence, exit_index: int, together: int) -> bool:
        return self._policy.may_go_deeper(sequence, exit_index, together)

    def most_rows(self, sequences: int) -> float:
        return self._policy.most_rows(sequences)

    def trunk_reads(self, rows: int) -> None:
        self._policy.trunk_reads(rows)
        self._runner.read(rows)

    def group_took(self, index: int, together: int, seconds: float) -> None:
        self._policy.group_took(index, together, self._runner.take(1.2 + 0.05 * together))

    def exit_took(self, together: int, seconds: float, whole: bool) -> None:
        self._policy.exit_took(together, self._runner.take(0.4 + 0.05 * together), whole)

    def drafts_took(self, tokens: int, seconds: float) -> None:
        self._policy.drafts_took(tokens, self._runner.take(3.0 + 0.3 * tokens))
