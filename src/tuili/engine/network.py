"""The model's forward pass made lean for writing token by token: the same weights, fewer and larger operations.

Projections of the same input are one product, and rows stand in `Slots` instead of a cache that grows. Equal to the
model's own forward pass up to rounding, which tests hold. Which rows take a step is left to the scheduler.

Dimensions: A rows, T tokens of each, N = A * T tokens, M hidden size, H query heads, K key/value heads, G = H / K, D
head size, X columns, R readings, F feed-forward size, E experts, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tuili.engine.slots import KeyValues, Slots, Step
from tuili.model import TuiliForCausalLM
from tuili.model.attention import SMALLEST
from tuili.model.experts import MixtureOfExperts
from tuili.model.kernels import gated_silu
from tuili.model.layers import LayeredAttention, ReasoningLayer, RMSNorm, TrunkLayer


class Network:
    """The layers of a model over rows in slots, with the weights as they are now.

    Matrices that are fused become the model's own, as parts of one; a later network of the same model fuses anew.
    """

    def __init__(self, model: TuiliForCausalLM) -> None:
        self.config = model.config
        inner = model.model
        self._table_VM, self._head_VM = inner.embed_tokens.weight, model.lm_head.weight
        own_1M = torch.ones_like(inner.convolution.weight[:1])
        self._taps_WM = torch.cat([own_1M, inner.convolution.weight]) * self.config.hidden_size**0.5
        self._back_W = torch.arange(len(self._taps_WM), device=own_1M.device)
        self._trunk = [_Trunk(layer) for layer in inner.trunk if isinstance(layer, TrunkLayer)]
        shared = inner.shared_key_value
        self._shared_norm, self._shared = inner.shared_norm, _fuse([shared.k_proj, shared.v_proj])
        self._shared_weight_KD = shared.k_norm.weight.expand(shared.heads, -1)
        self._reasoning = [_Reasoning(layer) for layer in inner.reasoning if isinstance(layer, ReasoningLayer)]
        self._norm, self._verifier = inner.norm, model.verifier

    def trunk(self, slots: Slots, rows: slice, id_AT: Tensor) -> tuple[Tensor, KeyValues, Step]:
        """Read T more tokens of each of these rows: the trunk's output [A, T, M], and what the groups need."""
        step = slots.advance(rows, id_AT)
        column_ATW = step.column_AT[..., None] - self._back_W
        near_ATWM = F.embedding(slots.ids(rows, column_ATW.clamp(min=0)), self._table_VM)
        hidden_ATM = (near_ATWM * self._taps_WM * (column_ATW >= 0)[..., None]).sum(2)
        for index, layer in enumerate(self._trunk):
            hidden_ATM = layer(hidden_ATM, slots, step, index)
        key_ATKD, value_ATKD = F.linear(_rms(hidden_ATM, self._shared_norm), self._shared).chunk(2, dim=-1)
        size = (-1, self.config.head_dim)
        key_ATKD = _turn(key_ATKD.unflatten(-1, size), self._shared_weight_KD, self._shared_norm.eps, step)
        kv = slots.write(len(self._trunk), step, key_ATKD, value_ATKD.unflatten(-1, size))
        return hidden_ATM, kv, step

    def group(self, index: int, hidden_ATM: Tensor, kv: KeyValues, step: Step) -> Tensor:
        """Take some tokens of a step through one group of reasoning layers."""
        size = self.config.group_layers
        for layer in self._reasoning[index * size : (index + 1) * size]:
            hidden_ATM = layer(hidden_ATM, kv, step)
        return hidden_ATM

    def again(self, slots: Slots, rows: slice, last: int) -> tuple[KeyValues, Step]:
        """What the groups need to take the last tokens of these rows further, after the trunk has read them."""
        step = slots.review(rows, last)
        return slots.read(len(self._trunk), step), step

    def exit(self, hidden_ATM: Tensor) -> tuple[Tensor, Tensor]:
        """At any exit, the logits [A, T, V] of the next token, and [A, T] the logit that what was read is valid."""
        normed_ATM = _rms(hidden_ATM, self._norm)
        valid_AT1 = F.linear(normed_ATM, self._verifier.weight, self._verifier.bias)
        return F.linear(normed_ATM, self._head_VM), valid_AT1[..., 0]


class _Attention:
    """Queries and gates of one layer, with its keys and values where it has its own."""

    def __init__(self, attention: LayeredAttention, norm: RMSNorm, more: Iterable[nn.Linear] = ()) -> None:
        self.heads, self.size, self.eps = attention.heads, attention.head_dim, norm.eps
        gates = [] if attention.gate_proj is None else [attention.gate_proj]
        self.weight = _fuse([attention.q_proj, *gates, *more])
        self.gates = 3 * self.heads if gates else 0
        self.output = attention.o_proj.weight
        self.weight_HD = (attention.q_norm.weight * self.size**-0.5).expand(self.heads, -1)

    def read(self, query_ATHD: Tensor, gate_ATG: Tensor, kv: KeyValues, step: Step) -> Tensor:
        """What the queries read, through the output projection: [A, T, M]."""
        A, T, H, D = query_ATHD.shape
        K = kv.key_AKXD.shape[1]
        query_AKXD = query_ATHD.transpose(1, 2).reshape(A, K, H // K * T, D)
        logit_AKGTX = (query_AKXD @ kv.key_AKXD.transpose(-1, -2)).view(A, K, H // K, T, -1)
        masks_RAKGTX, any_AKGTX = step.masks_RA11TX, step.any_A11TX
        if step.top is not None:
            masks_RAKGTX = _narrow(masks_RAKGTX, logit_AKGTX, step)
        top_AKGT1 = (logit_AKGTX * any_AKGTX).amax(-1, keepdim=True)
        part_RAKGTX = (logit_AKGTX - top_AKGT1).clamp_(max=0).exp_() * masks_RAKGTX
        share_RAKGT1 = part_RAKGTX.sum(-1, keepdim=True).clamp_(min=SMALLEST).reciprocal_()
        if self.gates:
            gate_AKGTR = gate_ATG.view(A, T, K, H // K, 3).permute(0, 2, 3, 1, 4).softmax(-1)
            share_RAKGT1 = share_RAKGT1 * gate_AKGTR.movedim(-1, 0)[..., None]
        weight_AKGTX = (part_RAKGTX * share_RAKGT1).sum(0)
        read_AKXD = weight_AKGTX.view(A, K, H // K * T, -1) @ kv.value_AKXD
        read_ATM = read_AKXD.view(A, H, T, D).transpose(1, 2).reshape(A, T, H * D)
        return F.linear(read_ATM, self.output)


class _Trunk:
    """A trunk layer."""

    def __init__(self, layer: TrunkLayer) -> None:
        self._attention_norm, self._mlp_norm = layer.attention_norm, layer.mlp_norm
        kv = layer.key_value
        self._attention = _Attention(layer.attention, layer.attention_norm, [kv.k_proj, kv.v_proj])
        self._kv_size = kv.heads * kv.head_dim
        self._key_weight_KD = kv.k_norm.weight.expand(kv.heads, -1)
        self._gate_up, self._down = layer.mlp.gate_up_proj.weight, layer.mlp.down_proj.weight

    def __call__(self, hidden_ATM: Tensor, slots: Slots, step: Step, index: int) -> Tensor:
        own, size = self._attention, (-1, self._attention.size)
        sizes = (own.heads * own.size, own.gates, self._kv_size, self._kv_size)
        query, gate, key, value = F.linear(_rms(hidden_ATM, self._attention_norm), own.weight).split(sizes, dim=-1)
        key_ATKD = _turn(key.unflatten(-1, size), self._key_weight_KD, own.eps, step)
        query_ATHD = _turn(query.unflatten(-1, size), own.weight_HD, own.eps, step)
        kv = slots.write(index, step, key_ATKD, value.unflatten(-1, size))
        hidden_ATM = hidden_ATM + own.read(query_ATHD, gate, kv, step)
        return hidden_ATM + F.linear(gated_silu(F.linear(_rms(hidden_ATM, self._mlp_norm), self._gate_up)), self._down)


class _Reasoning:
    """A reasoning layer."""

    def __init__(self, layer: ReasoningLayer) -> None:
        self._attention_norm, self._moe_norm = layer.attention_norm, layer.moe_norm
        self._attention = _Attention(layer.attention, layer.attention_norm)
        self._moe: MixtureOfExperts = layer.moe

    def __call__(self, hidden_ATM: Tensor, kv: KeyValues, step: Step) -> Tensor:
        own = self._attention
        sizes = (own.heads * own.size, own.gates)
        query, gate = F.linear(_rms(hidden_ATM, self._attention_norm), own.weight).split(sizes, dim=-1)
        query_ATHD = _turn(query.unflatten(-1, (-1, own.size)), own.weight_HD, own.eps, step)
        hidden_ATM = hidden_ATM + own.read(query_ATHD, gate, kv, step)
        update_ATM: Tensor = self._moe(_rms(hidden_ATM, self._moe_norm))[0]
        return hidden_ATM + update_ATM


def _fuse(layers: list[nn.Linear]) -> Tensor:
    """The weights of linear layers of the same input as one matrix, of which theirs become parts."""
    weight = torch.cat([layer.weight.detach() for layer in layers])
    for layer, part in zip(layers, weight.split([len(layer.weight) for layer in layers]), strict=True):
        layer.weight.data = part
    return weight


def _rms(hidden_ATM: Tensor, norm: RMSNorm) -> Tensor:
    return F.rms_norm(hidden_ATM, norm.weight.shape, norm.weight, norm.eps)


def _turn(x_ATHD: Tensor, weight_HD: Tensor, eps: float, step: Step) -> Tensor:
    """The norm of each head, then rotary position embedding."""
    x_ATHD = F.rms_norm(x_ATHD, x_ATHD.shape[-1:], None, eps) * weight_HD
    return x_ATHD * step.cos_AT1D + x_ATHD.roll(x_ATHD.shape[-1] // 2, -1) * step.sin_AT1D


def _narrow(masks_RA11TX: Tensor, logit_AKGTX: Tensor, step: Step) -> Tensor:
    """Let the last reading see no tokens but those of the best units. A key/value head's queries choose together."""
    assert step.top is not None and step.unit_AS is not None
    score_AKTU = logit_AKGTX[..., : step.units].sum(2)
    score_AKTU = score_AKTU.masked_fill(masks_RA11TX[0, :, :, 0, :, : step.units] == 0, float("-inf"))
    best_AKTk = score_AKTU.topk(step.top, dim=-1).indices
    chosen_AKTU = torch.zeros_like(score_AKTU).scatter_(-1, best_AKTk, 1.0)
    place_A11S = (step.units - 1 - step.unit_AS).clamp(min=0)[:, None, None]
    token_AKTS = chosen_AKTU.gather(-1, place_A11S.expand(*chosen_AKTU.shape[:3], -1))
    masks_RAK1TX = masks_RA11TX.repeat(1, 1, logit_AKGTX.shape[1], 1, 1, 1)
    masks_RAK1TX[2, ..., step.units :] *= token_AKTS[:, :, None]
    return masks_RAK1TX
