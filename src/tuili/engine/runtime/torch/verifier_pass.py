"""The verifier pass: the verifier reads a decoded response at full depth and judges every token of it.

The response comes in pieces, as prompts do. The scheduler decides when each piece is read, `controller` what follows
from the judgement.

Dimensions: T tokens of a piece, Q tokens of the response, M hidden size, F features, V vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tuili.engine.runtime.runner import PrefillOutput
from tuili.engine.runtime.torch.kv_cache import KVCache
from tuili.engine.runtime.torch.lean_model import LeanModel
from tuili.engine.runtime.torch.scoring import tokens_from
from tuili.engine.sequence import Sequence
from tuili.model import LoadedVerifier, response_features


class VerifierPass:
    """One response that is being read. It begins at `sequence.verify_from`, behind a prompt."""

    def __init__(self, model: LeanModel, verifier: LoadedVerifier, sequence: Sequence) -> None:
        assert sequence.verify_from, "a response has a prompt"
        self._model, self._verifier = model, verifier
        self._ids, self._response_start = sequence.prompt, sequence.verify_from
        self._trunk: list[Tensor] = []
        self._full: list[Tensor] = []

    def full_depth_tokens(self, done: int, length: int) -> int:
        """How many of the `length` tokens behind the first `done` need the full depth: those of the response, and the
        one before it, whose output predicts the first of them.
        """
        return tokens_from(self._response_start, done, length)

    def read(self, cache: KVCache, slot: int, hidden_1TM: Tensor, tokens: int) -> int:
        """Take the last `tokens` of a piece, which the trunk has read in this slot, to the full depth. Returns the
        layer-steps."""
        trunk_1TM = hidden_1TM[:, -tokens:]
        self._trunk.append(trunk_1TM)
        self._full.append(self._model.to_full_depth(cache, slot, trunk_1TM))
        return tokens * self._model.config.exit_layers[-1]

    def output(self, layer_steps: int, whole: bool) -> PrefillOutput:
        """What a piece led to; behind the last one, the judgement."""
        return PrefillOutput(layer_steps, validity=self.judge() if whole else None)

    def judge(self) -> tuple[list[float], list[float]]:
        """The verifier's logit and probability for each token of the response, once all of it has been read."""
        id_1Q = torch.tensor([self._ids[self._response_start :]], device=self._full[0].device)
        trunk_1QM, full_1QM = torch.cat(self._trunk, dim=1), torch.cat(self._full, dim=1)
        states_1QM = self._model.normed(full_1QM)
        full_1QV, trunk_1QV = self._model.head(states_1QM[:, :-1]), self._model.exit(trunk_1QM[:, :-1])
        feature_1QF = response_features(states_1QM[:, 1:], full_1QV, trunk_1QV, id_1Q, self._model.embedding_VM)
        logit_Q, prob_Q = self._verifier.judge(feature_1QF[0])
        return logit_Q.tolist(), prob_Q.tolist()
