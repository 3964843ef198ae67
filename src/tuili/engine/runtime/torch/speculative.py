"""Speculative decoding with the model's own trunk (Leviathan et al. 2023, arXiv 2211.17192; Zhang et al. 2024, arXiv
2309.08168): the trunk drafts some tokens, then the full depth reads them all at once and accepts those that it would
have decoded itself.

The tokens are those of plain decoding at full depth. The scheduler's limits say how far a sequence may be drafted.

Dimensions: A sequences, T tokens of each, M hidden size, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from tuili.engine.runtime.torch.kv_cache import KVCache
from tuili.engine.runtime.torch.lean_model import LeanModel
from tuili.engine.runtime.torch.logit_bias import LogitBiases
from tuili.engine.runtime.torch.sampler import logprobs
from tuili.engine.sequence import Sequence, TokenLogprobs

MAX_DRAFT_TOKENS = 12
"""Tokens that are drafted before they are verified, at most."""
MIN_DRAFT_PROB = 0.7
"""A draft token below this probability is wrong so often that tokens drafted behind it are mostly rejected."""


@dataclass
class DraftTokens:
    """What the trunk has drafted for one sequence: the ids, and the hidden states [1, M] that they were drawn from."""

    ids: list[int] = field(default_factory=list)
    hidden: list[Tensor] = field(default_factory=list)
    doubtful: bool = False
    """Whether a token is likely to be rejected, or ends the text."""
    full: bool = False
    """Whether no more may be drafted."""


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

    def __init__(self, model: LeanModel, cache: KVCache, end_id: int, biases: LogitBiases) -> None:
        self._model, self._cache, self._end_id, self._biases = model, cache, end_id, biases
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

    def draft(self, hidden_A1M: Tensor, sequences: list[Sequence], max_tokens: list[int]) -> bool:
        """DraftTokens the next token of each sequence from the trunk's output.

        Args:
            max_tokens: for each sequence, how many tokens may be drafted.
        Returns whether to verify now. All sequences are verified together: when one may not be drafted further, or
        when further tokens would probably be rejected for all of them.
        """
        logits_AV = self._biases.add_to(self._model.exit(hidden_A1M)[:, 0], sequences)
        ids, probs = logits_AV.argmax(-1).tolist(), logits_AV.softmax(-1).amax(-1).tolist()
        for hidden_1M, token, prob, sequence, most in zip(hidden_A1M, ids, probs, sequences, max_tokens, strict=True):
            draft = self._drafts.setdefault(sequence, DraftTokens())
            draft.ids.append(token)
            draft.hidden.append(hidden_1M)
            draft.doubtful |= prob < MIN_DRAFT_PROB or token == self._end_id
            draft.full = len(draft.ids) >= min(MAX_DRAFT_TOKENS, most)
        drafts = [self._drafts[sequence] for sequence in sequences]
        return any(draft.full for draft in drafts) or all(draft.doubtful for draft in drafts)

    def verify(self, first_slot: int, sequences: list[Sequence]) -> list[Verified]:
        """Take the equally long drafts of sequences in adjacent slots to the full depth.

        Accepts draft tokens up to the first that the full depth would not have decoded, and decodes that one instead.
        Rejected tokens leave the cache.
        """
        drafts = [self._drafts.pop(sequence) for sequence in sequences]
        hidden_ATM = torch.stack([torch.stack(draft.hidden, dim=1)[0] for draft in drafts])
        logits_ATV = self._model.exit(self._model.to_full_depth(self._cache, first_slot, hidden_ATM))
        biased_ATV = self._biases.add_to(logits_ATV, sequences)
        decoded, probs = biased_ATV.argmax(-1).tolist(), biased_ATV.softmax(-1).amax(-1).tolist()
        results = []
        for row, (draft, tokens, top_probs) in enumerate(zip(drafts, decoded, probs, strict=True)):
            slot, count = first_slot + row, len(tokens)
            accepted = next((at + 1 for at in range(count) if tokens[at] != draft.ids[at]), count)
            if accepted < count:
                self._cache.truncate(slot, self._cache.length[slot] - (count - accepted))
            tokens, place = tokens[:accepted], (row, slice(accepted))
            reported = logprobs(logits_ATV, place, tokens, sequences[row].sampling)
            results.append(Verified(tokens, top_probs[:accepted], count, reported))
        return results
