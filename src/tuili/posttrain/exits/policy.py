"""The effect of exits on a text: the model reads it again, and response tokens leave where the engine would let them.

In the layers after its exit, the keys and values of a token that left come from its state at the exit before the
adapter: later tokens see these. So all tokens can be computed at once, layer by layer. The engine decodes one token at
a time.

Dimensions: B texts, T tokens, M hidden size, N tokens that predict another one, V vocabulary, X common tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tuili.posttrain.backbone import Backbone
from tuili.posttrain.exits.network import Exits
from tuili.posttrain.exits.text_batch import TextBatch

_HEAD_ROWS = 512
"""Rows of logits that are in memory at a time."""


@dataclass(frozen=True)
class Reading:
    """The predictions for the tokens of responses. depth_N: layers run. token_N: the likeliest token."""

    depth_N: Tensor
    token_N: Tensor
    next_N: Tensor

    @property
    def accuracy(self) -> float:
        """The share of predicted tokens that equal those of the text."""
        return (self.token_N == self.next_N).double().mean().item()

    @property
    def mean_depth(self) -> float:
        """The mean number of layers run per token."""
        return self.depth_N.double().mean().item()

    def agreement(self, other: Reading) -> float:
        """The share of predicted tokens that are the same in another reading of the same texts."""
        return (self.token_N == other.token_N).double().mean().item()


@dataclass(frozen=True)
class Stop:
    """The input of an exit, or of full depth: states that the final norm may read, and which tokens have not left.

    For a token that has left, `adapted_BTM` has the adapted state at its exit.
    """

    depth: int
    adapted_BTM: Tensor
    going_BT: Tensor


Leave = Callable[[Stop], Tensor]
"""Called at each exit; returns which tokens leave there, [B, T]. Tokens that have already left do not matter."""


def walk(backbone: Backbone, exits: Exits, ids_BT: Tensor, leave: Leave | None) -> Iterator[Stop]:
    """Run all layers over texts, and stop at each exit and at full depth. Without `leave` no token leaves."""
    full_depth = len(backbone.layers)
    hidden_BTM, turns = backbone.embed(ids_BT)
    left_BTM, going_BT = hidden_BTM, torch.ones(ids_BT.shape, dtype=torch.bool)
    for number in range(full_depth):
        # Each deeper layer makes keys and values for a token that has left from the state at its exit.
        hidden_BTM = torch.where(going_BT[..., None], backbone.layer(number, hidden_BTM, turns), hidden_BTM)
        if number + 1 in exits.depths:
            adapted_BTM = exits.at(number + 1).adapted(hidden_BTM)
            adapted_BTM = torch.where(going_BT[..., None], adapted_BTM, left_BTM)
            yield (stop := Stop(number + 1, adapted_BTM, going_BT))
            if leave is not None:
                gone_BT = leave(stop) & going_BT
                going_BT = going_BT & ~gone_BT
                left_BTM = torch.where(gone_BT[..., None], adapted_BTM, left_BTM)
    yield Stop(full_depth, torch.where(going_BT[..., None], hidden_BTM, left_BTM), going_BT)


@torch.inference_mode()
def leave_early(
    backbone: Backbone, exits: Exits, ids_BT: Tensor, leaving_BT: Tensor, threshold: float
) -> tuple[Tensor, Tensor]:
    """The states that the head reads, before the final norm, [B, T, M], and the layers run for each token, [B, T].

    A token with `leaving_BT` set leaves at the first exit whose confidence reaches `threshold`; others run all layers,
    as do all tokens if the threshold is 1.
    """

    rows_XM = backbone.head_VM[exits.common_X]

    def logits(stop: Stop) -> Tensor:
        return backbone.final_norm(stop.adapted_BTM).to(rows_XM.dtype) @ rows_XM.T

    def is_sure(stop: Stop) -> Tensor:
        return (exits.at(stop.depth).confidence_logit(logits(stop)).sigmoid() >= threshold) & leaving_BT

    depth_BT = torch.zeros(ids_BT.shape, dtype=torch.long)
    for stop in walk(backbone, exits, ids_BT, is_sure if threshold < 1 else None):
        depth_BT[stop.going_BT] = stop.depth
    return stop.adapted_BTM, depth_BT


def likeliest(backbone: Backbone, hidden_NM: Tensor) -> Tensor:
    """The likeliest token for each of these states before the final norm, [N]."""
    parts = (backbone.final_norm(part).to(backbone.head_VM.dtype) for part in hidden_NM.split(_HEAD_ROWS))
    return torch.cat([(part @ backbone.head_VM.T).argmax(-1) for part in parts])


@torch.inference_mode()
def read(backbone: Backbone, exits: Exits, batches: Iterable[TextBatch], threshold: float) -> Reading:
    """Read texts, with tokens leaving at this confidence. At 1 all tokens run all layers."""
    return joined([*read_each(backbone, exits, batches, threshold)])


def read_each(backbone: Backbone, exits: Exits, batches: Iterable[TextBatch], threshold: float) -> Iterator[Reading]:
    """As `read`, with one reading per batch."""
    for batch in batches:
        hidden_BTM, depth_BT = leave_early(backbone, exits, batch.ids_BT, batch.leaving_BT, threshold)
        place_N = batch.position_N[batch.response_N]
        hidden_NM = hidden_BTM.flatten(0, 1)[place_N]
        yield Reading(depth_BT.flatten()[place_N], likeliest(backbone, hidden_NM), batch.next_N[batch.response_N])


def joined(readings: Sequence[Reading]) -> Reading:
    """Join readings into one."""
    fields = zip(*((one.depth_N, one.token_N, one.next_N) for one in readings), strict=True)
    return Reading(*(torch.cat(part) for part in fields))
