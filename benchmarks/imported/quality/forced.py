"""What the engine would write at each place of a given text, and how deep the token there goes: at any depth.

The text's own tokens take the place of those that are written, so that two depths are compared place by place.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as Many
from dataclasses import dataclass, field, replace

from benchmarks.harness.simulated import Clock, SimulatedRunner
from tuili.engine import (
    Depth,
    ModelRunner,
    PrefillOutput,
    Scheduler,
    Sequence,
    SequenceLimits,
    StepOutput,
    StepPolicy,
)
from tuili.store import ImportedModel


@dataclass
class Forced:
    """A response that is given. chosen, depths: what was written at each of its places, and how many layers ran."""

    response: list[int]
    chosen: list[int] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)


class ForcingRunner(SimulatedRunner):
    """A runner whose sequences get the tokens of given responses. Time does not matter."""

    def __init__(self, runner: ModelRunner, clock: Clock) -> None:
        super().__init__(runner, clock)
        self.forced: Mapping[Sequence, Forced] = {}

    def prefill(self, sequence: Sequence, tokens: list[int], policy: StepPolicy) -> PrefillOutput:
        """See `ModelRunner`."""
        output = super().prefill(sequence, tokens, policy)
        return output if output.first is None else replace(output, first=self._replaced(output.first))

    def decode(self, policy: StepPolicy) -> list[StepOutput]:
        """See `ModelRunner`."""
        return [self._replaced(output) for output in super().decode(policy)]

    def _replaced(self, output: StepOutput) -> StepOutput:
        text = self.forced[output.sequence]
        text.chosen += output.tokens
        text.depths += output.depths
        return replace(output, tokens=[text.response[len(output.sequence.tokens)]])


def read_forced(
    runner: ModelRunner,
    model: ImportedModel,
    texts: Many[tuple[Many[int], Many[int]]],
    depth: Depth,
    threshold: float | None = None,
) -> list[Forced]:
    """What is written at each place of the responses of prompts, given in pairs of ids, at one depth but `exact`.

    threshold: of confidence, at which tokens leave at depth `auto`; the model's own if None.
    """
    clock = Clock()
    forcing = ForcingRunner(runner, clock)
    scheduler = Scheduler.of(forcing, model.tokenizer, waiting=len(texts), clock=clock)
    found = [Forced(list(response)) for _, response in texts]
    leaving = runner.exit_threshold if threshold is None else threshold
    sequences = [
        Sequence(list(prompt), SequenceLimits(len(response)), depth=depth, exit_threshold=leaving)
        for prompt, response in texts
    ]
    forcing.forced = dict(zip(sequences, found, strict=True))
    for sequence in sequences:
        scheduler.submit(sequence)
    while scheduler.busy:
        scheduler.step()
    return found
