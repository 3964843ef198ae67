"""The model's forward pass made lean for decoding: the same weights in fewer and larger operations.

Projections of the same input are one product, and texts are kept in a `KVCache` instead of a growing cache. The results
equal those of the model's own forward pass up to rounding, which tests verify. `step` decides which rows run.

Dimensions: R rows, W columns of the short convolution, M hidden size, A slots of a block, T rows of each, N = A * T,
C slots of the cache, H query heads, K key/value heads, G = H / K, Q heads that are rotated, D head size, X columns,
L = T * G times 3 readings or 1, V vocabulary.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from tuili.engine.runtime.torch.attention_plan import AttentionPlan, select_units
from tuili.engine.runtime.torch.experts import LeanExperts
from tuili.engine.runtime.torch.int8_linear import Beside, Chain, Converter, Weight, linear, quantize
from tuili.engine.runtime.torch.kv_cache import KVCache
from tuili.engine.runtime.torch.runtime import runtime_of
from tuili.engine.runtime.torch.tally import Tally
from tuili.model import (
    KeyValueProjection,
    LayeredAttention,
    LowRankProjection,
    Projection,
    ReasoningLayer,
    RMSNorm,
    TrunkLayer,
    TuiliForCausalLM,
    gated_silu,
    rotary,
    round_weight,
)
from tuili.store import Quantization


class LeanModel:
    """The layers of a model over rows of a KV cache, with the weights they had at construction.

    Fused matrices replace the model's own, which become views of them. A second lean model of it fuses anew.

    Args:
        int8: use a copy of the weights that is rounded to 8 bits, and round inputs too.
        trained: likewise, for the integer format that the model was trained for.
    """

    def __init__(self, model: TuiliForCausalLM, int8: bool = False, trained: Quantization | None = None) -> None:
        of_4_bits = trained is not None and trained.numbers == "w4a8"
        self.config = model.config
        self.runtime = runtime_of(model.lm_head.weight, int8 or (trained is not None and not of_4_bits), of_4_bits)
        self.shape = self.config.shape
        inner = model.model
        convert = Converter(int8, trained)
        self.embedding_VM, self._head = inner.embed_tokens.weight, convert(model.lm_head.weight)
        if trained is not None:  # the embedding, which is also the head, has 8 bits
            value_VM = round_weight(self.embedding_VM.detach().float(), 8).value
            self.embedding_VM, self._head = value_VM.to(self.embedding_VM.dtype), quantize(value_VM)
        back = inner.convolution.weight.flip(0)  # no row for a width of 1
        taps_WM = torch.cat([back, back.new_ones(1, self.config.hidden_size)])
        self._taps_WM = taps_WM * self.config.hidden_size**0.5
        self._trunk = [_Trunk(layer, convert) for layer in inner.trunk if isinstance(layer, TrunkLayer)]
        shared = inner.shared_key_value
        self._shared_norm = Norm(inner.shared_norm.weight, inner.shared_norm.eps)
        self._shared = _fused([shared.k_proj, shared.v_proj], convert)
        self._key_norm = Norm(shared.k_norm.weight.expand(shared.heads, -1), shared.k_norm.eps)
        self._reasoning = [_Reasoning(layer, convert) for layer in inner.reasoning if isinstance(layer, ReasoningLayer)]
        self._norm = Norm(inner.norm.weight, inner.norm.eps)

    def angles(self) -> tuple[Tensor, Tensor]:
        """Cosines and sines [P, D] of rotary embedding at each position."""
        config = self.config
        positions_1P = torch.arange(config.max_position_embeddings, device=self.embedding_VM.device)[None]
        cos_1PD, sin_1PD = rotary(positions_1P, config.head_dim, config.rope_theta)
        return cos_1PD[0], sin_1PD[0]

    def trunk(self, cache: KVCache, recent_RW: Tensor, plan: AttentionPlan, tally: Tally) -> Tensor:
        """Read new tokens, given the last ids of each. Returns the trunk's output [R, M]."""
        near_RWM = F.embedding(recent_RW.clamp(min=0), self.embedding_VM) * (recent_RW >= 0)[..., None]
        hidden_RM: Tensor = (near_RWM * self._taps_WM).sum(1)
        for index, layer in enumerate(self._trunk):
            hidden_RM = layer(hidden_RM, cache.kv[index], plan, index, tally)
        key, value = linear(self._shared_norm(hidden_RM), self._shared).chunk(2, dim=-1)
        size = (-1, self.config.head_dim)
        key_RKD = rotated(self._key_norm(key.unflatten(-1, size)), plan)
        write(cache.kv[-1], plan, key_RKD, value.unflatten(-1, size))
        return hidden_RM

    def group(self, index: int, hidden_RM: Tensor, cache: KVCache, plan: AttentionPlan, tally: Tally) -> Tensor:
        """Run some rows that the trunk has read through one group of reasoning layers."""
        size = self.config.group_layers
        for number in range(index * size, (index + 1) * size):
            hidden_RM = self._reasoning[number](
                hidden_RM, cache.kv[-1], plan, self.config.trunk_layers + number, number, tally
            )
        return hidden_RM

    def exit(self, hidden_RM: Tensor) -> Tensor:
        """The logits [R, V] of the next token, at any exit."""
        return self.head(self.normed(hidden_RM))

    def normed(self, hidden_RM: Tensor) -> Tensor:
        """The normalised states, which the head reads."""
        return self._norm(hidden_RM)

    def head(self, normed_RM: Tensor) -> Tensor:
        """The logits of normalised states."""
        return linear(normed_RM, self._head)


class Norm:
    """A root-mean-square norm over the last dimension, computed from the vector's length."""

    def __init__(self, gain: Tensor, eps: float) -> None:
        size = gain.shape[-1]
        self._gain = gain.detach().float() * size**0.5
        self._floor = self._gain.new_tensor((size * eps) ** 0.5)

    def __call__(self, x: Tensor) -> Tensor:
        length = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=torch.float32)
        normed: Tensor = x / torch.hypot(length, self._floor) * self._gain
        return normed.to(x.dtype)


class _Attention:
    """The attention of one layer. Its input projections, including any for keys and values, are one product."""

    def __init__(
        self,
        attention: LayeredAttention,
        norm: RMSNorm,
        convert: Converter,
        key_value: KeyValueProjection | None = None,
    ) -> None:
        self._norm, self._heads, self._size = Norm(norm.weight, norm.eps), attention.heads, attention.head_dim
        self._kv_heads = 0 if key_value is None else key_value.heads
        keys, values = ([], []) if key_value is None else ([key_value.k_proj], [key_value.v_proj])
        gates = [] if attention.gate_proj is None else [attention.gate_proj]
        self._gates = None
        if gates and convert.trained is not None:  # gates decide: such a model was trained with them unrounded
            self._gates, gates = gates[0].weight.detach(), []
        self._weight = _fused([attention.q_proj, *keys, *values, *gates], convert)
        self._sizes = (
            (self._heads + self._kv_heads) * self._size,
            self._kv_heads * self._size,
            3 * self._heads * len(gates),
        )
        gains = [attention.q_norm.weight.expand(self._heads, -1) * self._size**-0.5]
        if key_value is not None:
            gains.append(key_value.k_norm.weight.expand(self._kv_heads, -1))
        self._rotated_norm = Norm(torch.cat(gains), norm.eps)
        self._output = _weight(attention.o_proj, convert)

    def project(self, hidden_RM: Tensor, plan: AttentionPlan) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Queries [R, H, D], own keys and values [R, K, D], gates [R, 3 * H]; each has size 0 if there are none."""
        normed_RM = self._norm(hidden_RM)
        heads, value, gate = linear(normed_RM, self._weight).split(self._sizes, dim=-1)
        if self._gates is not None:
            gate = linear(normed_RM, self._gates)
        heads_RQD = rotated(self._rotated_norm(heads.unflatten(-1, (self._heads + self._kv_heads, self._size))), plan)
        query_RHD, key_RKD = heads_RQD.split((self._heads, self._kv_heads), dim=1)
        return query_RHD, key_RKD, value.unflatten(-1, (self._kv_heads, self._size)), gate

    def read(
        self, query_RHD: Tensor, gate: Tensor, kv_C2KXD: Tensor, plan: AttentionPlan, layer: int, tally: Tally
    ) -> Tensor:
        """The attention's output [R, M], through the output projection."""
        read_RHD = attend(query_RHD, gate, kv_C2KXD, plan)
        if tally.counts:
            tally.heads(layer, read_RHD)
        return linear(read_RHD.flatten(1), self._output)


def attend(query_RHD: Tensor, gate: Tensor, kv_C2KXD: Tensor, plan: AttentionPlan) -> Tensor:
    """The output [R, H, D] of each query. gate: [R, 3 * H], or of size 0 if there are no units."""
    read_RHD = torch.empty_like(query_RHD) if len(plan.blocks) > 1 else query_RHD
    for block in plan.blocks:
        query_AKTGD = block.of(query_RHD).unflatten(2, (kv_C2KXD.shape[2], -1)).transpose(1, 2)
        A, K, T, G, D = query_AKTGD.shape
        key_AKXD, value_AKXD = block.read(kv_C2KXD)
        readings = 3 if gate.shape[-1] else 1
        bias_AKLX = select_units(block, query_AKTGD, key_AKXD) if block.top_units else block.bias_A1LX
        query_AKLD = query_AKTGD[:, :, :, :, None].expand(-1, -1, -1, -1, readings, -1).reshape(A, K, -1, D)
        read_AKLD = F.scaled_dot_product_attention(query_AKLD, key_AKXD, value_AKXD, bias_AKLX, scale=1.0)
        part_ATKG3D = read_AKLD.view(A, K, T, G, readings, D).transpose(1, 2)
        if readings > 1:
            gate_ATKG13 = block.of(gate).view(A, T, K, G, 1, readings).softmax(-1)
            part_ATKG3D = gate_ATKG13 @ part_ATKG3D
        part_NHD = part_ATKG3D.reshape(A * T, K * G, D)
        if block.row_N is None:
            read_RHD = part_NHD
        else:
            read_RHD[block.row_N] = part_NHD
    return read_RHD


class _Trunk:
    """A trunk layer."""

    def __init__(self, layer: TrunkLayer, convert: Converter) -> None:
        self._attention = _Attention(layer.attention, layer.attention_norm, convert, layer.key_value)
        self._norm = Norm(layer.mlp_norm.weight, layer.mlp_norm.eps)
        self._gate_up, self._down = _weight(layer.mlp.gate_up_proj, convert), _weight(layer.mlp.down_proj, convert)

    def __call__(self, hidden_RM: Tensor, kv_C2KXD: Tensor, plan: AttentionPlan, layer: int, tally: Tally) -> Tensor:
        query_RHD, key_RKD, value_RKD, gate = self._attention.project(hidden_RM, plan)
        write(kv_C2KXD, plan, key_RKD, value_RKD)
        hidden_RM = hidden_RM + self._attention.read(query_RHD, gate, kv_C2KXD, plan, layer, tally)
        return hidden_RM + linear(gated_silu(linear(self._norm(hidden_RM), self._gate_up)), self._down)


class _Reasoning:
    """A reasoning layer."""

    def __init__(self, layer: ReasoningLayer, convert: Converter) -> None:
        self._attention = _Attention(layer.attention, layer.attention_norm, convert)
        self._norm = Norm(layer.moe_norm.weight, layer.moe_norm.eps)
        self._experts = LeanExperts(layer.moe, convert)

    def __call__(
        self, hidden_RM: Tensor, kv_C2KXD: Tensor, plan: AttentionPlan, layer: int, number: int, tally: Tally
    ) -> Tensor:
        query_RHD, _, _, gate = self._attention.project(hidden_RM, plan)
        hidden_RM = hidden_RM + self._attention.read(query_RHD, gate, kv_C2KXD, plan, layer, tally)
        normed_RM = self._norm(hidden_RM)
        expert_Rk, weight_Rk = self._experts.route(normed_RM)
        if tally.counts:
            tally.experts(number, expert_Rk)
        return hidden_RM + self._experts(normed_RM, expert_Rk, weight_Rk)


def unchanged(weight: Tensor) -> Weight:
    """The matrix, unchanged."""
    return weight


def _weight(layer: Projection | LowRankProjection, convert: Converter) -> Weight:
    """The weights of a linear layer."""
    if isinstance(layer, LowRankProjection):
        return Chain((convert(layer.inner.weight), convert(layer.outer.weight)))
    return convert(layer.weight)


def _fused(layers: list[Projection], convert: Converter) -> Weight:
    """The weights of linear layers with the same input as one matrix, of which the layers' own weights become views. If
    any layer is factored, the weights are kept separately."""
    if any(isinstance(layer, LowRankProjection) for layer in layers):
        return Beside(tuple(_weight(layer, convert) for layer in layers))
    weight = torch.cat([layer.weight.detach() for layer in layers])
    for layer, part in zip(layers, weight.split([len(layer.weight) for layer in layers]), strict=True):
        layer.weight.data = part
    return convert(weight)


def write(kv_C2KXD: Tensor, plan: AttentionPlan, key_RKD: Tensor, value_RKD: Tensor) -> None:
    """Store the keys and values of new tokens in one layer of the cache."""
    new_R2KD = torch.stack((key_RKD, value_RKD), dim=1)
    for block in plan.blocks:
        block.write(kv_C2KXD, block.of(new_R2KD))


def rotated(heads_RQD: Tensor, plan: AttentionPlan) -> Tensor:
    """Apply rotary position embedding to each head."""
    return heads_RQD * plan.cos_R1D + heads_RQD.roll(heads_RQD.shape[-1] // 2, -1) * plan.sin_R1D
