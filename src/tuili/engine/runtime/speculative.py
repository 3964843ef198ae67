"""Speculative decoding with the model's own trunk (Leviathan et al. 2023, arXiv 2211.17192; Zhang et al. 2024, arXiv
2309.08168): the trunk drafts some tokens, then the full depth reads them all at once and accepts those that it would
have decoded itself.

The tokens equal those of plain decoding at full depth. The scheduler's limits determine how far a sequence may be
drafted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuili.engine.runtime.logit_bias import LogitBiases
from tuili.engine.runtime.sampler import token_logprobs
from tuili.engine.runtime.step import SLOT, ModelStep, StepBatch
from tuili.engine.sequence import Sequence, TokenLogprobs

NO_TOKEN = -1
"""Follows a looked-up draft, so that the next token is decoded whatever it is."""
MAX_DRAFT_TOKENS = 12
"""Maximum tokens drafted before they are verified."""
MIN_DRAFT_PROB = 0.7
"""A draft token below this probability is wrong so often that tokens drafted after it are mostly rejected."""


@dataclass
class DraftTokens:
    """What the trunk has drafted for one sequence in a slot: the ids, the table rows from which they were predicted,
    and the hidden states there."""

    slot: int
    ids: list[int] = field(default_factory=list)
    table: list[NDArray[np.int32]] = field(default_factory=list)
    hidden: list[Any] = field(default_factory=list)
    doubtful: bool = False
    """Whether a token is likely to be rejected, or ends the text."""
    full: bool = False
    """Whether no more may be drafted."""


@dataclass(frozen=True)
class Verified:
    """The tokens that the full depth decoded for one sequence, and their probabilities. It read `drafted` tokens.

    logprobs: one for each token, if the sampling asks for them.
    """

    tokens: list[int]
    top_probs: list[float]
    drafted: int
    logprobs: list[TokenLogprobs]


class SpeculativeDecoder:
    """The drafts of all sequences that are decoded speculatively."""

    def __init__(self, step: ModelStep[Any], end_ids: tuple[int, ...], biases: LogitBiases) -> None:
        self._step, self._end_ids, self._biases = step, end_ids, biases
        self._drafts: dict[Sequence, DraftTokens] = {}

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
        """Draft the next token of each sequence from the trunk's output in these rows.

        Args:
            max_tokens: for each sequence, how many tokens may be drafted.
        Returns whether to verify now. All sequences are verified together, as soon as one may not be drafted further or
        further tokens would probably be rejected for all of them.
        """
        states = [self._step.states(batch, row, row + 1) for row in rows]
        drafted = [self._drafts[each].ids if each in self._drafts else () for each in sequences]
        self._biases.exit(self._step, batch, rows, sequences, drafted)
        for row, state, sequence, most in zip(rows, states, sequences, max_tokens, strict=True):
            token = int(batch.best[row])
            draft = self._drafts.setdefault(sequence, DraftTokens(int(batch.table[row, SLOT])))
            draft.ids.append(token)
            draft.table.append(batch.table[row].copy())
            draft.hidden.append(state)
            draft.doubtful |= bool(batch.top_prob[row] < MIN_DRAFT_PROB) or token in self._end_ids
            draft.full = len(draft.ids) >= min(MAX_DRAFT_TOKENS, most)
        drafts = [self._drafts[sequence] for sequence in sequences]
        return any(draft.full for draft in drafts) or all(draft.doubtful for draft in drafts)

    def hold(self, batch: StepBatch, row: int, sequence: Sequence, ids: list[int]) -> None:
        """Hold a looked-up draft, which the trunk has read in the rows after `row`, the row of the last token."""
        draft = self._drafts[sequence] = DraftTokens(int(batch.table[row, SLOT]), [*ids, NO_TOKEN])
        for place in range(row, row + len(draft.ids)):
            draft.table.append(batch.table[place].copy())
            draft.hidden.append(self._step.states(batch, place, place + 1))

    def passes(self, rows: int) -> Iterator[list[Sequence]]:
        """The sequences with drafts, by slot, in parts of at most `rows` tokens that are verified together."""
        part, taken = list[Sequence](), 0
        for sequence in sorted(self._drafts, key=lambda each: self._drafts[each].slot):
            length = self.draft_length(sequence)
            if taken + length > rows:
                yield part
                part, taken = [], 0
            part.append(sequence)
            taken += length
        if part:
            yield part

    def verify(self, batch: StepBatch, sequences: list[Sequence]) -> list[Verified]:
        """Run the drafts of sequences, which are in slot order, to full depth in the first rows of the batch.

        Accepts draft tokens up to the first that the full depth would not have decoded, and decodes that one instead.
        """
        step, drafts = self._step, [self._drafts.pop(sequence) for sequence in sequences]
        count = 0
        for draft in drafts:
            for table, hidden in zip(draft.table, draft.hidden, strict=True):
                batch.table[count] = table
                batch.hidden[count : count + 1] = hidden
                count += 1
        batch.going[:count] = range(count)
        for index in range(step.shape.num_groups):
            step.group(batch, index, count)
        owners = [sequence for sequence, draft in zip(sequences, drafts, strict=True) for _ in draft.ids]
        drafted = [draft.ids[:place] for draft in drafts for place in range(len(draft.ids))]
        self._biases.exit(step, batch, list(range(count)), owners, drafted)
        results, first = [], 0
        for sequence, draft in zip(sequences, drafts, strict=True):
            results.append(self._accept(batch, first, sequence, draft.ids))
            first += len(draft.ids)
        return results

    def _accept(self, batch: StepBatch, first: int, sequence: Sequence, ids: list[int]) -> Verified:
        """The result of verifying the draft whose tokens are in the rows from `first` on."""
        tokens, probs = (values[first : first + len(ids)].tolist() for values in (batch.best, batch.top_prob))
        accepted = next((at + 1 for at in range(len(ids)) if tokens[at] != ids[at]), len(ids))
        reported: list[TokenLogprobs] = []
        if sequence.sampling.logprobs is not None:
            logits_TV = self._step.logits(batch, range(first, first + accepted))
            reported = token_logprobs(logits_TV, tokens[:accepted], sequence.sampling.logprobs)
        return Verified(tokens[:accepted], probs[:accepted], len(ids), reported)
