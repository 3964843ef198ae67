"""Speculative decoding with the model's own trunk (Leviathan et al. 2023, arXiv 2211.17192; Zhang et al. 2024, arXiv
2309.08168): the trunk drafts some tokens, then the full depth reads them all at once and accepts those that it would
have decoded itself.

The tokens are those of plain decoding at full depth. The scheduler's limits say how far a sequence may be drafted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tuili.engine.runtime.logit_bias import LogitBiases
from tuili.engine.runtime.sampler import token_logprobs
from tuili.engine.runtime.step import ModelStep, StepBatch
from tuili.engine.sequence import Sequence, TokenLogprobs

MAX_DRAFT_TOKENS = 12
"""Tokens that are drafted before they are verified, at most."""
MAX_VERIFIED_ROWS = 256
"""Draft tokens that are verified in one pass, at most."""
MIN_DRAFT_PROB = 0.7
"""A draft token below this probability is wrong so often that tokens drafted behind it are mostly rejected."""


@dataclass
class DraftTokens:
    """What the trunk has drafted for one sequence in a slot. Its tokens have adjacent rows in the batch of drafts, with
    the hidden states that they were drawn from."""

    slot: int
    ids: list[int] = field(default_factory=list)
    doubtful: bool = False
    """Whether a token is likely to be rejected, or ends the text."""
    full: bool = False
    """Whether no more may be drafted."""

    @property
    def rows(self) -> range:
        """The rows of its tokens in the batch of drafts."""
        first = self.slot * MAX_DRAFT_TOKENS
        return range(first, first + len(self.ids))


@dataclass(frozen=True)
class Verified:
    """The tokens that the full depth decoded for one sequence, and their probabilities. It read `drafted` tokens.

    logprobs: one for each token, where the sampling asks for them.
    """

    tokens: list[int]
    top_probs: list[float]
    drafted: int
    logprobs: list[TokenLogprobs]


class SpeculativeDecoder:
    """The drafts of all sequences that are decoded speculatively."""

    def __init__(self, step: ModelStep[Any], end_id: int, biases: LogitBiases) -> None:
        self._step, self._end_id, self._biases = step, end_id, biases
        self._drafts: dict[Sequence, DraftTokens] = {}
        self._batch: StepBatch | None = None
        """The rows of all drafts, once there has been one."""

    def draft_length(self, sequence: Sequence) -> int:
        """How many tokens of a sequence are drafted."""
        return len(self._drafts[sequence].ids) if sequence in self._drafts else 0

    def last_token(self, sequence: Sequence) -> int:
        """The last token of a sequence, drafts included: the one that the trunk reads next."""
        return self._drafts[sequence].ids[-1] if sequence in self._drafts else sequence.tokens[-1]

    def drop(self, sequence: Sequence) -> None:
        """Forget the draft of a sequence, if there is one."""
        self._drafts.pop(sequence, None)

    def draft(self, batch: StepBatch, rows: list[int], sequences: list[Sequence], max_tokens: list[int]) -> bool:
        """Draft the next token of each sequence from the trunk's output, which stands in these rows.

        Args:
            max_tokens: for each sequence, how many tokens may be drafted.
        Returns whether to verify now. All sequences are verified together: when one may not be drafted further, or
        when further tokens would probably be rejected for all of them.
        """
        if self._batch is None:
            self._batch = self._step.batch(self._step.slots * MAX_DRAFT_TOKENS)
        batch.going[: len(rows)] = rows
        self._step.exit(batch, len(rows))
        self._biases.choose(self._step, batch, rows, sequences)
        for row, sequence, most in zip(rows, sequences, max_tokens, strict=True):
            token, slot = int(batch.best[row]), int(batch.table[row, 0])
            draft = self._drafts.setdefault(sequence, DraftTokens(slot))
            draft.ids.append(token)
            place = draft.rows[-1]
            self._batch.table[place] = batch.table[row]
            self._batch.hidden[place] = batch.hidden[row]
            draft.doubtful |= bool(batch.top_prob[row] < MIN_DRAFT_PROB) or token == self._end_id
            draft.full = len(draft.ids) >= min(MAX_DRAFT_TOKENS, most)
        drafts = [self._drafts[sequence] for sequence in sequences]
        return any(draft.full for draft in drafts) or all(draft.doubtful for draft in drafts)

    def passes(self) -> Iterator[list[Sequence]]:
        """The sequences with drafts, by their slots, in parts that are verified together."""
        part, rows = list[Sequence](), 0
        for sequence in sorted(self._drafts, key=lambda each: self._drafts[each].slot):
            length = self.draft_length(sequence)
            if rows + length > MAX_VERIFIED_ROWS:
                yield part
                part, rows = [], 0
            part.append(sequence)
            rows += length
        if part:
            yield part

    def verify(self, sequences: list[Sequence]) -> list[Verified]:
        """Take the drafts of sequences, in the order of their slots, to the full depth.

        Accepts draft tokens up to the first that the full depth would not have decoded, and decodes that one instead.
        """
        batch, step = self._batch, self._step
        assert batch is not None
        drafts = [self._drafts.pop(sequence) for sequence in sequences]
        rows = [row for draft in drafts for row in draft.rows]
        batch.going[: len(rows)] = rows
        for index in range(step.shape.num_groups):
            step.group(batch, index, len(rows))
        step.exit(batch, len(rows))
        owners = [sequence for sequence, draft in zip(sequences, drafts, strict=True) for _ in draft.ids]
        self._biases.choose(step, batch, rows, owners)
        return [self._accept(sequence, draft) for sequence, draft in zip(sequences, drafts, strict=True)]

    def _accept(self, sequence: Sequence, draft: DraftTokens) -> Verified:
        batch, rows, count = self._batch, draft.rows, len(draft.ids)
        assert batch is not None
        tokens, probs = (values[rows.start : rows.stop].tolist() for values in (batch.best, batch.top_prob))
        accepted = next((at + 1 for at in range(count) if tokens[at] != draft.ids[at]), count)
        reported: list[TokenLogprobs] = []
        if sequence.sampling.logprobs is not None:
            logits_TV = self._step.logits(batch, rows[:accepted])
            reported = token_logprobs(logits_TV, tokens[:accepted], sequence.sampling.logprobs)
        return Verified(tokens[:accepted], probs[:accepted], count, reported)
