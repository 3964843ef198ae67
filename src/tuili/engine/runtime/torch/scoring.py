"""Scoring a prompt: the log-probability of each of its tokens behind those before it, at full depth.

The prompt comes in pieces. The scheduler decides when each piece is read.

Dimensions: T tokens of a piece, S of them that need the full depth, M hidden size, V vocabulary.
"""

from __future__ import annotations

from torch import Tensor

from tuili.engine.runtime.runner import PrefillOutput
from tuili.engine.runtime.torch.kv_cache import KVCache
from tuili.engine.runtime.torch.lean_model import LeanModel
from tuili.engine.runtime.torch.sampler import token_logprobs
from tuili.engine.sequence import Sequence, TokenLogprobs


class PromptScoring:
    """One prompt that is being scored, from `sequence.score_from` on."""

    def __init__(self, model: LeanModel, sequence: Sequence) -> None:
        assert sequence.score_from, "a token is scored behind another one"
        self._model, self._ids, self._start = model, sequence.prompt, sequence.score_from
        self._most = sequence.sampling.prompt_logprobs or 0
        self._logprobs: list[TokenLogprobs] = []

    def full_depth_tokens(self, done: int, length: int) -> int:
        """How many of the `length` tokens behind the first `done` need the full depth."""
        return tokens_from(self._start, done, length)

    def read(self, cache: KVCache, slot: int, hidden_1TM: Tensor, tokens: int) -> int:
        """Take the last `tokens` of a piece, which the trunk has read in this slot, to the full depth. Returns the
        layer-steps."""
        logits_SV = self._model.exit(self._model.to_full_depth(cache, slot, hidden_1TM[:, -tokens:]))[0]
        first = self._start + len(self._logprobs)
        following = self._ids[first : first + tokens]  # the last token of the prompt predicts none of them
        self._logprobs += token_logprobs(logits_SV[: len(following)], following, self._most)
        return tokens * self._model.config.exit_layers[-1]

    def output(self, layer_steps: int, whole: bool) -> PrefillOutput:
        """What a piece led to; behind the last one, all log-probabilities."""
        return PrefillOutput(layer_steps, logprobs=self._logprobs if whole else None)


def tokens_from(start: int, done: int, length: int) -> int:
    """How many of the `length` tokens behind the first `done` predict a token from `start` on, or are one."""
    return max(0, done + length - max(done, start - 1))
