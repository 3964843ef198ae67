"""Texts that are only read, at full depth: prompts that are scored, and responses that the verifier judges.

A text arrives in pieces, as prompts do. The scheduler decides when each piece is read, and `controller` what follows
from a judgement. A score is the log-probability of a token given those before it.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from tuili.engine.runtime.runner import PrefillOutput
from tuili.engine.runtime.sampler import token_logprobs
from tuili.engine.runtime.step import ModelStep, StepBatch
from tuili.engine.sequence import Sequence, TokenLogprobs

SCORED_ROWS = 32
"""Rows whose logits are processed together, in the first rows: logits of many tokens take a lot of memory."""
Reading: TypeAlias = "PromptScoring | VerifierPass"
"""One text, and what is computed for it from the token `start` on. The token before `start` predicts it, so it needs
full depth too. `before` processes rows that the trunk has read, `after` the same rows at full depth; `output` is the
result for the whole text."""


def reading_of(step: ModelStep[Any], sequence: Sequence) -> Reading | None:
    """How a sequence is read; None if a response is to be decoded."""
    if sequence.verify_from is not None and step.verifies:
        return VerifierPass(step, sequence, sequence.verify_from)
    if sequence.score_from is not None:
        return PromptScoring(step, sequence, sequence.score_from)
    return None


def to_full_depth(step: ModelStep[Any], batch: StepBatch, reading: Reading, done: int, length: int) -> int:
    """Run the rows of a piece that need full depth to full depth. Returns the layer-steps of the rows that are used.

    Args:
        done: tokens before the piece. length: tokens of the piece, which the trunk has read in the first rows.
    """
    first = max(0, reading.start - 1 - done)
    tokens = length - first
    if tokens <= 0:
        if step.shape.per_layer_kv:
            through_groups(step, batch, length)
        return 0
    reading.before(batch, first, length)
    through_groups(step, batch, length, 0 if step.shape.per_layer_kv else first)
    batch.going[:tokens] = range(first, length)
    reading.after(batch, first, length)
    return tokens * step.shape.exit_layers[-1]


def through_groups(step: ModelStep[Any], batch: StepBatch, end: int, first: int = 0) -> None:
    """Run the rows from `first` to `end` - 1, which the trunk has read, through all groups."""
    if end > first:
        batch.going[: end - first] = range(first, end)
        for index in range(step.shape.num_groups):
            step.group(batch, index, end - first)


class PromptScoring:
    """A prompt that is scored from `start` on."""

    def __init__(self, step: ModelStep[Any], sequence: Sequence, start: int) -> None:
        assert start, "a token is scored behind another one"
        self._step, self._ids, self.start = step, sequence.prompt, start
        self._most = sequence.sampling.prompt_logprobs or 0
        self._logprobs: list[TokenLogprobs] = []

    def before(self, batch: StepBatch, first: int, end: int) -> None:
        """See `Reading`."""

    def after(self, batch: StepBatch, first: int, end: int) -> None:
        """See `Reading`."""
        for begin in range(first, end, SCORED_ROWS):
            rows = min(end - begin, SCORED_ROWS)
            batch.hidden[:rows] = self._step.states(batch, begin, begin + rows)
            place = self.start + len(self._logprobs)
            following = self._ids[place : place + rows]  # the last token of the prompt predicts none of them
            batch.going[:rows] = range(rows)
            self._step.exit(batch, rows)
            logits_TV = self._step.logits(batch, range(len(following)))
            self._logprobs += token_logprobs(logits_TV, following, self._most)

    def output(self, layer_steps: int) -> PrefillOutput:
        """See `Reading`."""
        return PrefillOutput(layer_steps, logprobs=self._logprobs)


class VerifierPass:
    """A response that is judged. It begins at `start`, after a prompt."""

    def __init__(self, step: ModelStep[Any], sequence: Sequence, start: int) -> None:
        assert start, "a response has a prompt"
        self._step, self._ids, self.start = step, sequence.prompt, start
        self._trunk, self._full = list[Any](), list[Any]()

    def before(self, batch: StepBatch, first: int, end: int) -> None:
        """See `Reading`."""
        if not self._step.shape.per_layer_kv:
            self._trunk.append(self._step.states(batch, first, end))

    def after(self, batch: StepBatch, first: int, end: int) -> None:
        """See `Reading`."""
        self._full.append(self._step.states(batch, first, end))

    def output(self, layer_steps: int) -> PrefillOutput:
        """See `Reading`."""
        judgement = self._step.judge(self._trunk, self._full, self._ids[self.start :])
        return PrefillOutput(layer_steps, validity=judgement)
