"""The network that is taught: the layers of a model, of which the upper ones learn, and the loss on packed rows.

All documents of a row share one prefix (`packed_rows`), which leaves room for more of them in a row. The numeric type
is the backbone's, bfloat16 by default; what learns is kept in float32.

Dimensions: B rows, T tokens of a row with the prefix, P tokens of the prefix, M hidden size, N learnt tokens,
S scored tokens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tuili.data import IGNORE_INDEX, Block
from tuili.model import foreign_linear
from tuili.posttrain.backbone import Backbone
from tuili.posttrain.low_rank import LowRankTerm, add_terms, term_parameters
from tuili.posttrain.master_weights import MasterWeights
from tuili.posttrain.packed_rows import pack_attention, packed_states
from tuili.posttrain.rounded_backbone import round_backbone


class TaughtNetwork:
    """A model whose layers from `first_layer` on learn.

    Args:
        prefix: the tokens before every row.
        rank: of the terms that learn; None if the weights themselves learn.
        vocabulary: the tokens of all responses, which are always scored.
        rounds: compute and learn in 8 bits, as the native step computes the model once it is written.
    """

    def __init__(
        self, backbone: Backbone, first_layer: int, rank: int | None, prefix: Sequence[int], vocabulary: Sequence[int],
        seed: int, rounds: bool = False,
    ) -> None:  # fmt: skip
        self.backbone, self._first, device = backbone, first_layer, backbone.device
        self._prefix_P = torch.tensor(prefix, dtype=torch.long, device=device)
        pack_attention(backbone)
        if rounds:
            round_backbone(backbone)
        self._rounds = rounds
        self._vocabulary_S = torch.tensor(sorted(set(vocabulary)), dtype=torch.long, device=device)
        self.terms: dict[str, LowRankTerm] = {}
        """The terms, by the names of the weights that they are added to."""
        self._masters: MasterWeights | None = None
        if rank is None:
            learning = _learning_weights(backbone.model, first_layer)
            self._initial = {name: weight.detach().clone() for name, weight in learning.items()}
            self._masters = MasterWeights(learning)
            self.parameters: Mapping[str, nn.Parameter] = self._masters.parameters
        else:
            self.terms = add_terms(backbone, first_layer, rank, torch.Generator().manual_seed(seed), rounds)
            self.parameters = term_parameters(self.terms)
        """The trained parameters, in float32, by name."""

    def loss(self, block: Block, extra: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """The mean loss on the learnt tokens of a block, and the share of them that is likeliest.

        extra: how many random tokens are scored in addition to those of all responses.
        generator: on the CPU, so that every device draws the same tokens.
        """
        block = block.to(self.backbone.device)
        states_BTM = packed_states(self.backbone, self._prefix_P, block, self._first)
        hidden_BTM = states_BTM[:, len(self._prefix_P) :]
        target_N = block.targets_BT.flatten()
        learnt_N = target_N != IGNORE_INDEX
        hidden_NM, target_N = self.backbone.final_norm(hidden_BTM.flatten(0, 1)[learnt_N]), target_N[learnt_N]
        head_VM = self.backbone.head_VM
        drawn = torch.randint(head_VM.shape[0], (extra,), generator=generator).to(head_VM.device)
        scored_S = torch.unique(torch.cat([self._vocabulary_S, drawn, target_N]))
        scored_SM = head_VM[scored_S]
        logit_NS = foreign_linear(hidden_NM, scored_SM) if self._rounds else hidden_NM @ scored_SM.T
        logit_NS = logit_NS.float()
        place_N = torch.searchsorted(scored_S, target_N)
        right = (logit_NS.detach().argmax(-1) == place_N).float().mean()
        return functional.cross_entropy(logit_NS, place_N), right

    def backward(self, loss: Tensor) -> None:
        """Compute the gradients of `parameters`."""
        loss.backward()
        if self._masters is not None:
            self._masters.take_gradients()

    def follow(self) -> None:
        """Update the model from `parameters`."""
        if self._masters is not None:
            self._masters.follow()

    @torch.no_grad()
    def changes(self) -> dict[str, Tensor]:
        """The terms added to the weights, by their names, on the CPU: rounded as in an adapter; if weights learn,
        float64, so that adding them to the initial weights gives the learnt ones exactly."""
        if self._masters is not None:
            learnt, began = self._masters.parameters, self._initial
            changes = {name: learnt[name].detach().double() - began[name].double() for name in learnt}
        else:
            changes = {name: term.rounded_delta() for name, term in self.terms.items()}
        return {name: change.cpu() for name, change in changes.items()}


def _learning_weights(model: Any, first_layer: int) -> dict[str, nn.Parameter]:
    """The weights of the upper layers and the final norm; those of the whole model if all layers learn."""
    frozen = tuple(f"model.layers.{number}." for number in range(first_layer))
    below = ("model.embed_tokens.", "lm_head.") if first_layer else ()
    return {name: weight for name, weight in model.named_parameters() if not name.startswith((*frozen, *below))}
