"""The verifier at work: it reads a response that has been written, at full depth, and judges every token of it.

The response comes in pieces, as prompts do; when each is read is left to `scheduler`, what follows from the judgement
to `controller`.

Dimensions: T tokens of a piece, Q tokens of the response, M hidden size.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tuili.engine.runtime.torch.kv_cache import Slots
from tuili.engine.runtime.torch.lean_model import Network
from tuili.engine.sequence import Row
from tuili.model.verifier import LoadedVerifier, response_features


class Reading:
    """One response that is being read. `row.verify_from` says where it begins, which is behind some prompt."""

    def __init__(self, network: Network, verifier: LoadedVerifier, row: Row) -> None:
        assert row.verify_from, "a response has a prompt"
        self._network, self._verifier, self._row, self._from = network, verifier, row, row.verify_from
        self._trunk: list[Tensor] = []
        self._full: list[Tensor] = []

    def deep(self, done: int, length: int) -> int:
        """How many of `length` tokens behind the first `done` go on to the full depth: the response's, and the one
        before it, which says what was expected first.
        """
        return max(0, done + length - max(done, self._from - 1))

    def take(self, slots: Slots, place: int, hidden_1TM: Tensor, deep: int) -> None:
        """Take the last tokens of a piece to the full depth, after the trunk has read them in this slot."""
        own_1TM = hidden_1TM[:, -deep:]
        self._trunk.append(own_1TM)
        self._full.append(self._network.to_full_depth(slots, place, own_1TM))
        self._row.layer_steps += deep * self._network.config.exit_layers[-1]

    def judge(self) -> None:
        """Note what the verifier says, when all of the response has been taken."""
        id_1Q = torch.tensor([self._row.prompt[self._from :]], device=self._full[0].device)
        trunk_1QM, full_1QM = torch.cat(self._trunk, dim=1), torch.cat(self._full, dim=1)
        states_1QM = self._network.normed(full_1QM)
        full_1QV, trunk_1QV = self._network.head(states_1QM[:, :-1]), self._network.exit(trunk_1QM[:, :-1])
        feature_1QF = response_features(states_1QM[:, 1:], full_1QV, trunk_1QV, id_1Q, self._network.table_VM)
        logit_Q, chance_Q = self._verifier.judge(feature_1QF[0])
        self._row.validity, self._row.believed = logit_Q.tolist(), chance_Q.tolist()
