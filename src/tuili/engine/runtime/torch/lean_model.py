"""The model's forward pass made lean for decoding: the same weights in fewer and larger operations.

Projections of the same input are one product, and sequences stand in a `KVCache` instead of a cache that grows. The
results equal those of the model's own forward pass up to rounding, which tests hold. Which tokens run is left to
`model_runner`.

Dimensions: A rows, T tokens of each, Y = T + W - 1, M hidden size, W columns of the short convolution, H query heads,
K key/value heads, G = H / K, Q heads that are rotated, D head size, X columns, R readings, L = T * G * R, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from tuili.engine.runtime.torch.attention_metadata import (
    AttentionMetadata,
    CachedKeyValues,
    UnitMeanUpdate,
    build_metadata,
    select_units,
    unit_mean_update,
    write,
)
from tuili.engine.runtime.torch.compiled import graph
from tuili.engine.runtime.torch.experts import LeanExperts
from tuili.engine.runtime.torch.int8_linear import Weight, linear, quantize
from tuili.engine.runtime.torch.kv_cache import CacheView, KVCache
from tuili.engine.runtime.torch.runtime import runtime_of
from tuili.model import (
    KeyValueProjection,
    LayeredAttention,
    Projection,
    ReasoningLayer,
    RMSNorm,
    TrunkLayer,
    TuiliForCausalLM,
    gated_silu,
)

MAX_TOKENS_AS_ROWS = 32
"""Tokens that run through a compiled graph as rows of their own, each with a copy of its keys and values."""


class LeanModel:
    """The layers of a model over rows of a key/value cache, with the weights at the time of construction.

    Fused matrices replace the model's own, which become views of them. Another lean model of the same model fuses anew.

    Args:
        compiled: compile the decoding of one token a row, which takes a C++ compiler a minute or more. Several tokens
            of a row at once run uncompiled. Raises `InputError` where compilation fails.
        int8: use a copy of the weights that is rounded to 8 bits, except for experts. On a CPU only.
    """

    def __init__(self, model: TuiliForCausalLM, compiled: bool = False, int8: bool = False) -> None:
        self.config, self.model = model.config, model
        self.runtime = runtime_of(model, compiled, int8)
        inner = model.model
        convert = quantize if int8 else _unchanged
        self.embedding_VM, self._head = inner.embed_tokens.weight, convert(model.lm_head.weight)
        taps_WM = torch.cat([inner.convolution.weight.flip(0), torch.ones_like(inner.convolution.weight[:1])])
        self._taps_MW = taps_WM.t() * self.config.hidden_size**0.5
        self._trunk = [_Trunk(layer, convert) for layer in inner.trunk if isinstance(layer, TrunkLayer)]
        shared = inner.shared_key_value
        self._shared_norm = _Norm(inner.shared_norm.weight, inner.shared_norm.eps)
        self._shared = convert(_fuse([shared.k_proj, shared.v_proj]))
        self._key_norm = _Norm(shared.k_norm.weight.expand(shared.heads, -1), shared.k_norm.eps)
        self._reasoning = [_Reasoning(layer, convert) for layer in inner.reasoning if isinstance(layer, ReasoningLayer)]
        self._norm = _Norm(inner.norm.weight, inner.norm.eps)
        self._graphs: _Graphs | None = None
        if compiled:
            self._graphs = self._compile()

    def trunk(self, cache: KVCache, rows: slice, id_AT: Tensor) -> tuple[Tensor, CachedKeyValues, AttentionMetadata]:
        """Read T more tokens of each of these rows. Returns the trunk's output [A, T, M], and what the groups need."""
        view, angles_SD = cache.advance(rows, id_AT), (cache.cos_SD, cache.sin_SD)
        if self._graphs is not None and id_AT.shape[1] == 1:
            hidden_ATM, metadata = self._graphs.trunk(self, self._always_selecting(view), angles_SD)
        else:
            hidden_ATM, metadata = self._run_trunk(view, angles_SD)
        return hidden_ATM, CachedKeyValues(view.kv_A2KXD[-1]), metadata

    def group(self, index: int, hidden_ATM: Tensor, kv: CachedKeyValues, metadata: AttentionMetadata) -> Tensor:
        """Run some tokens of a step through one group of reasoning layers."""
        size = self.config.group_layers
        layers = self._reasoning[index * size : (index + 1) * size]
        if self._graphs is not None and hidden_ATM.shape[1] == 1 and all(layer.as_trained for layer in layers):
            output_ATM: Tensor = self._graphs.group(layers, hidden_ATM, kv, metadata)
            return output_ATM
        return _run_group(layers, hidden_ATM, kv, metadata)

    def to_full_depth(self, cache: KVCache, first: int, hidden_ATM: Tensor) -> Tensor:
        """Run the last T tokens of A adjacent rows, which the trunk has read, through all groups."""
        A, T = hidden_ATM.shape[:2]
        view = cache.review(slice(first, first + A), T)
        kv, metadata = (
            CachedKeyValues(view.kv_A2KXD[-1]),
            build_metadata(view, (cache.cos_SD, cache.sin_SD), self.config),
        )
        if self._graphs is not None and 1 < A * T <= MAX_TOKENS_AS_ROWS:  # a graph takes one token of each row
            hidden_ATM, kv, metadata = hidden_ATM.view(A * T, 1, -1), kv.for_each(T), metadata.as_rows()
        for index in range(self.config.num_groups):
            hidden_ATM = self.group(index, hidden_ATM, kv, metadata)
        return hidden_ATM.view(A, T, -1)

    def exit(self, hidden_ATM: Tensor) -> Tensor:
        """The logits [A, T, V] of the next token, at any exit."""
        return self.head(self.normed(hidden_ATM))

    def normed(self, hidden_ATM: Tensor) -> Tensor:
        """The normed states, which the head reads."""
        return self._norm(hidden_ATM)

    def head(self, normed_ATM: Tensor) -> Tensor:
        """The logits of normed states."""
        return linear(normed_ATM, self._head)

    def _run_trunk(self, view: CacheView, angles_SD: tuple[Tensor, Tensor]) -> tuple[Tensor, AttentionMetadata]:
        metadata = build_metadata(view, angles_SD, self.config)
        near_AYM = F.embedding(view.recent_AY.clamp(min=0), self.embedding_VM) * (view.recent_AY >= 0)[..., None]
        hidden_ATM: Tensor = (near_AYM.unfold(1, self.config.convolution_width, 1) * self._taps_MW).sum(-1)
        update = unit_mean_update(view, hidden_ATM.dtype) if self.config.layered else None
        for index, layer in enumerate(self._trunk):
            hidden_ATM = layer(hidden_ATM, view, update, metadata, index)
        key, value = linear(self._shared_norm(hidden_ATM), self._shared).chunk(2, dim=-1)
        size = (-1, self.config.head_dim)
        write(-1, view, update, _rotate(key.unflatten(-1, size), self._key_norm, metadata), value.unflatten(-1, size))
        return hidden_ATM, metadata

    def _always_selecting(self, view: CacheView) -> CacheView:
        """The view for a graph, which selects units whether that changes anything or not."""
        return view._replace(top_units=self.config.top_units) if self.config.layered else view

    @torch.inference_mode()
    def _compile(self) -> _Graphs:
        """Compile the trunk and one group of layers, by the example of one token of each of three rows."""
        cache = KVCache(self.config, 3, self.embedding_VM.dtype, self.embedding_VM.device)
        length = min(50, self.config.max_position_embeddings - 1)
        id_AT = torch.full((3, length), (self.config.separator_token_ids or [0])[0], device=self.embedding_VM.device)
        self.trunk(cache, slice(0, 3), id_AT)
        view, angles_SD = self._always_selecting(cache.advance(slice(0, 3), id_AT[:, :1])), (cache.cos_SD, cache.sin_SD)
        free: dict[Tensor, tuple[int, ...]] = {view.unit_AS: (0, 1)}
        free |= dict.fromkeys(view.kv_A2KXD, (0, 3))
        free |= dict.fromkeys((view.recent_AY, view.column_AT, view.unit_AT, view.open_A1), (0,))
        trunk = graph(LeanModel._run_trunk, (self, view, angles_SD), free)
        hidden_ATM, metadata = self._run_trunk(view, angles_SD)
        kv, layers = CachedKeyValues(view.kv_A2KXD[-1]), self._reasoning[: self.config.group_layers]
        free = {kv.kv_A2KXD: (0, 3), metadata.bias_A1LX: (0, 3), metadata.column_AS: (0, 1)}
        free |= dict.fromkeys((hidden_ATM, metadata.cos_AT1D, metadata.sin_AT1D), (0,))
        return _Graphs(trunk, graph(_run_group, (layers, hidden_ATM, kv, metadata), free))


class _Graphs(NamedTuple):
    """The compiled functions. An exit is a single product and needs none."""

    trunk: Callable[[LeanModel, CacheView, tuple[Tensor, Tensor]], tuple[Tensor, AttentionMetadata]]
    group: Callable[[list[_Reasoning], Tensor, CachedKeyValues, AttentionMetadata], Tensor]


def _run_group(
    layers: list[_Reasoning], hidden_ATM: Tensor, kv: CachedKeyValues, metadata: AttentionMetadata
) -> Tensor:
    for layer in layers:
        hidden_ATM = layer(hidden_ATM, kv, metadata)
    return hidden_ATM


class _Norm:
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
    """The attention of one layer. Its input projections are one product, those of its own keys and values included."""

    def __init__(
        self,
        attention: LayeredAttention,
        norm: RMSNorm,
        convert: Callable[[Tensor], Weight],
        key_value: KeyValueProjection | None = None,
    ) -> None:
        self._norm, self._heads, self._size = _Norm(norm.weight, norm.eps), attention.heads, attention.head_dim
        self._kv_heads = 0 if key_value is None else key_value.heads
        keys, values = ([], []) if key_value is None else ([key_value.k_proj], [key_value.v_proj])
        gates = [] if attention.gate_proj is None else [attention.gate_proj]
        self._weight = convert(_fuse([attention.q_proj, *keys, *values, *gates]))
        self._sizes = (
            (self._heads + self._kv_heads) * self._size,
            self._kv_heads * self._size,
            3 * self._heads * len(gates),
        )
        gains = [attention.q_norm.weight.expand(self._heads, -1) * self._size**-0.5]
        if key_value is not None:
            gains.append(key_value.k_norm.weight.expand(self._kv_heads, -1))
        self._rotated_norm = _Norm(torch.cat(gains), norm.eps)
        self._output = convert(attention.o_proj.weight)

    def project(self, hidden_ATM: Tensor, metadata: AttentionMetadata) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Queries [A, T, H, D], own keys and values [A, T, K, D], gates [A, T, 3 * H]; of size 0 if there are none."""
        heads, value, gate = linear(self._norm(hidden_ATM), self._weight).split(self._sizes, dim=-1)
        heads_ATQD = _rotate(
            heads.unflatten(-1, (self._heads + self._kv_heads, self._size)), self._rotated_norm, metadata
        )
        query_ATHD, key_ATKD = heads_ATQD.split((self._heads, self._kv_heads), dim=2)
        return query_ATHD, key_ATKD, value.unflatten(-1, (self._kv_heads, self._size)), gate

    def read(self, query_ATHD: Tensor, gate: Tensor, kv: CachedKeyValues, metadata: AttentionMetadata) -> Tensor:
        """The attention's output [A, T, M], through the output projection."""
        A, T, H, D = query_ATHD.shape
        key_AKXD, value_AKXD = kv.kv_A2KXD.unbind(1)
        K, R = key_AKXD.shape[1], 3 if gate.shape[-1] else 1
        query_AKTGD = query_ATHD.unflatten(2, (K, -1)).transpose(1, 2)
        bias_AKLX = select_units(metadata, query_AKTGD, key_AKXD) if metadata.top_units else metadata.bias_A1LX
        query_AKLD = query_AKTGD[:, :, :, :, None].expand(-1, -1, -1, -1, R, -1).reshape(A, K, -1, D)
        read_AKLD = F.scaled_dot_product_attention(query_AKLD, key_AKXD, value_AKXD, bias_AKLX, scale=1.0)
        read_ATKGRD = read_AKLD.view(A, K, T, H // K, R, D).transpose(1, 2)
        if R > 1:
            gate_ATKG1R = gate.view(A, T, K, H // K, 1, R).softmax(-1)
            read_ATKGRD = gate_ATKG1R @ read_ATKGRD
        return linear(read_ATKGRD.reshape(A, T, H * D), self._output)


class _Trunk:
    """A trunk layer."""

    def __init__(self, layer: TrunkLayer, convert: Callable[[Tensor], Weight]) -> None:
        self._attention = _Attention(layer.attention, layer.attention_norm, convert, layer.key_value)
        self._norm = _Norm(layer.mlp_norm.weight, layer.mlp_norm.eps)
        self._gate_up, self._down = convert(layer.mlp.gate_up_proj.weight), convert(layer.mlp.down_proj.weight)

    def __call__(
        self,
        hidden_ATM: Tensor,
        view: CacheView,
        update: UnitMeanUpdate | None,
        metadata: AttentionMetadata,
        index: int,
    ) -> Tensor:
        query_ATHD, key_ATKD, value_ATKD, gate = self._attention.project(hidden_ATM, metadata)
        write(index, view, update, key_ATKD, value_ATKD)
        hidden_ATM = hidden_ATM + self._attention.read(
            query_ATHD, gate, CachedKeyValues(view.kv_A2KXD[index]), metadata
        )
        return hidden_ATM + linear(gated_silu(linear(self._norm(hidden_ATM), self._gate_up)), self._down)


class _Reasoning:
    """A reasoning layer."""

    def __init__(self, layer: ReasoningLayer, convert: Callable[[Tensor], Weight]) -> None:
        self._attention = _Attention(layer.attention, layer.attention_norm, convert)
        self._norm = _Norm(layer.moe_norm.weight, layer.moe_norm.eps)
        self._experts = LeanExperts(layer.moe)

    @property
    def as_trained(self) -> bool:
        """Whether routing is neither restricted to some experts nor recorded."""
        return self._experts.as_trained

    def __call__(self, hidden_ATM: Tensor, kv: CachedKeyValues, metadata: AttentionMetadata) -> Tensor:
        query_ATHD, _, _, gate = self._attention.project(hidden_ATM, metadata)
        hidden_ATM = hidden_ATM + self._attention.read(query_ATHD, gate, kv, metadata)
        return hidden_ATM + self._experts(self._norm(hidden_ATM).flatten(0, 1)).view_as(hidden_ATM)


def _unchanged(weight: Tensor) -> Weight:
    return weight


def _fuse(layers: list[Projection]) -> Tensor:
    """The weights of linear layers of the same input as one matrix, of which the layers' own become views."""
    weight = torch.cat([layer.weight.detach() for layer in layers])
    for layer, part in zip(layers, weight.split([len(layer.weight) for layer in layers]), strict=True):
        layer.weight.data = part
    return weight


def _rotate(heads_ATQD: Tensor, norm: _Norm, metadata: AttentionMetadata) -> Tensor:
    """Normalise each head, then apply rotary position embedding."""
    heads_ATQD = norm(heads_ATQD)
    return heads_ATQD * metadata.cos_AT1D + heads_ATQD.roll(heads_ATQD.shape[-1] // 2, -1) * metadata.sin_AT1D
