"""The network that is taught: the layers of a model, of which the upper ones learn, and the loss on packed rows.

All documents of a row stand behind one prefix, which each of them sees as if it stood alone: a row of B tokens then has
room for more of them. Numbers are bfloat16; what learns is kept in float32.

Dimensions: B rows, T tokens of a row with the prefix, P tokens of the prefix, M hidden size, N learnt tokens,
S scored tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tuili.data import IGNORE_INDEX, Block
from tuili.posttrain.backbone import Backbone
from tuili.posttrain.low_rank import LowRankTerm, add_terms, term_parameters
from tuili.posttrain.teaching import attention


class TaughtNetwork:
    """A model of which the layers from `first_layer` on learn.

    Args:
        prefix: the tokens in front of every row.
        rank: of the terms that learn; None where the weights themselves do.
        vocabulary: the tokens of all responses, which are always told apart.
    """

    def __init__(
        self, backbone: Backbone, first_layer: int, rank: int | None, prefix: Sequence[int], vocabulary: Sequence[int],
        seed: int,
    ) -> None:  # fmt: skip
        self.backbone, self._first, self._prefix_P = backbone, first_layer, torch.tensor(prefix, dtype=torch.long)
        backbone.model.set_attn_implementation(attention.NAME)
        self._vocabulary_S = torch.tensor(sorted(set(vocabulary)), dtype=torch.long)
        self.terms: dict[str, LowRankTerm] = {}
        """By the name of the weights that they are added to."""
        self._working: dict[str, nn.Parameter] = {}
        """The bfloat16 weights that learn, by name; they follow those in float32."""
        if rank is None:
            self._working = _learning_weights(backbone.model, first_layer)
            self.parameters = {name: nn.Parameter(weight.float()) for name, weight in self._working.items()}
            self._initial = {name: weight.detach().clone() for name, weight in self._working.items()}
            for weight in self._working.values():
                weight.requires_grad_(True)
        else:
            self.terms = add_terms(backbone, first_layer, rank, torch.Generator().manual_seed(seed))
            self.parameters = term_parameters(self.terms)
        """What learns, in float32, by name."""

    def loss(self, block: Block, extra: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """The mean loss on the learnt tokens of a block, and the share of them that is likeliest.

        extra: tokens drawn at random that the right ones are told apart from, beside those of all responses.
        """
        hidden_BTM = self._states(block)[:, len(self._prefix_P) :]
        target_N = block.targets_BT.flatten()
        learnt_N = target_N != IGNORE_INDEX
        hidden_NM, target_N = self.backbone.final_norm(hidden_BTM.flatten(0, 1)[learnt_N]), target_N[learnt_N]
        head_VM = self.backbone.head_VM
        drawn = torch.randint(head_VM.shape[0], (extra,), generator=generator)
        scored_S = torch.unique(torch.cat([self._vocabulary_S, drawn, target_N]))
        logit_NS = (hidden_NM @ head_VM[scored_S].T).float()
        place_N = torch.searchsorted(scored_S, target_N)
        right = (logit_NS.detach().argmax(-1) == place_N).float().mean()
        return functional.cross_entropy(logit_NS, place_N), right

    def backward(self, loss: Tensor) -> None:
        """Compute the gradients of `parameters`."""
        loss.backward()
        for name, working in self._working.items():
            assert working.grad is not None
            self.parameters[name].grad, working.grad = working.grad.float(), None

    @torch.no_grad()
    def follow(self) -> None:
        """Take over what `parameters` have become."""
        for name, working in self._working.items():
            working.copy_(self.parameters[name])

    @torch.no_grad()
    def changes(self) -> dict[str, Tensor]:
        """What is added to the weights, by their names: terms as in an adapter, which rounds them."""
        if self.terms:
            return {name: term.rounded_delta() for name, term in self.terms.items()}
        return {name: parameter.detach() - self._initial[name] for name, parameter in self.parameters.items()}

    def _states(self, block: Block) -> Tensor:
        """The states [B, T, M] behind the last layer, those of the prefix included."""
        rows, prefix = len(block.tokens_BT), len(self._prefix_P)
        ids_BT = torch.cat([self._prefix_P.expand(rows, -1), block.tokens_BT], dim=1)
        position_BT = torch.cat([torch.arange(prefix).expand(rows, -1), block.positions_BT + prefix], dim=1)
        bias_BTT = _bias(block.documents_BT, prefix, self.backbone.head_VM.dtype)
        model = self.backbone.model.model
        hidden_BTM = model.embed_tokens(ids_BT)
        turns = model.rotary_emb(hidden_BTM, position_ids=position_BT)
        with torch.no_grad() if not hidden_BTM.requires_grad else torch.enable_grad():
            for layer in self.backbone.layers[: self._first]:
                hidden_BTM = layer(hidden_BTM, attention_mask=bias_BTT, position_embeddings=turns)
        for layer in self.backbone.layers[self._first :]:
            hidden_BTM = layer(hidden_BTM, attention_mask=bias_BTT, position_embeddings=turns)
        return hidden_BTM  # type: ignore[no-any-return]  # a layer of transformers


def _bias(documents_BT: Tensor, prefix: int, dtype: torch.dtype) -> Tensor:
    """What is added to scores, [B, T, T]: a token sees the prefix, and its own document up to itself."""
    shared = torch.full((len(documents_BT), prefix), -2)
    owner_BT = torch.cat([shared, documents_BT], dim=1)
    sees_BTT = (owner_BT[:, :, None] == owner_BT[:, None, :]) | (owner_BT[:, None, :] == -2)
    length = owner_BT.shape[1]
    sees_BTT = sees_BTT & torch.ones(length, length, dtype=torch.bool).tril()
    return torch.where(sees_BTT, 0.0, attention.HIDDEN).to(dtype)


def _learning_weights(model: Any, first_layer: int) -> dict[str, nn.Parameter]:
    """The weights of the upper layers and of the final norm; those of the whole model where all layers learn."""
    frozen = tuple(f"model.layers.{number}." for number in range(first_layer))
    below = ("model.embed_tokens.", "lm_head.") if first_layer else ()
    return {name: weight for name, weight in model.named_parameters() if not name.startswith((*frozen, *below))}
