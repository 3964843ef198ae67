"""The model's forward pass made lean for writing token by token: the same weights, fewer and larger operations.

Projections of the same input are one product, and rows stand in `Slots` instead of a cache that grows. Equal to the
model's own forward pass up to rounding, which tests hold. Which rows take a step is left to the scheduler.

Dimensions: A rows, T tokens of each, Y = T + W - 1, M hidden size, W columns of the short convolution, H query heads,
K key/value heads, G = H / K, Q heads that are turned, D head size, X columns, R readings, L = T * G * R, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from tuili.engine.runtime.torch.attention_metadata import KeyValues, Means, Step, look, means, narrow, write
from tuili.engine.runtime.torch.compiled import graph
from tuili.engine.runtime.torch.experts import Experts
from tuili.engine.runtime.torch.int8_linear import Matrix, product, rounded
from tuili.engine.runtime.torch.kv_cache import Place, Slots
from tuili.model import TuiliForCausalLM
from tuili.model.kernels import gated_silu
from tuili.model.layers import KeyValueProjection, LayeredAttention, Projection, ReasoningLayer, RMSNorm, TrunkLayer

FEW = 32
"""So many tokens at most are taken as rows of their own, with a copy of what they read for each."""


class Network:
    """The layers of a model over rows in slots, with the weights as they are now.

    Matrices that are fused become the model's own, as parts of one; a later network of the same model fuses anew.

    Args:
        compiled: make graphs of what a token goes through when it is written, which takes a C++ compiler a minute or
            more; several tokens of a row at once go through the layers as ever. Raises `InputError` where that fails.
        int8: use a copy of the weights that is rounded to 8 bits, experts left out. On a CPU alone.
    """

    def __init__(self, model: TuiliForCausalLM, compiled: bool = False, int8: bool = False) -> None:
        self.config = model.config
        inner = model.model
        made = rounded if int8 else _as_it_is
        self.table_VM, self._head = inner.embed_tokens.weight, made(model.lm_head.weight)
        taps_WM = torch.cat([inner.convolution.weight.flip(0), torch.ones_like(inner.convolution.weight[:1])])
        self._taps_MW = taps_WM.t() * self.config.hidden_size**0.5
        self._trunk = [_Trunk(layer, made) for layer in inner.trunk if isinstance(layer, TrunkLayer)]
        shared = inner.shared_key_value
        self._shared_norm = _Norm(inner.shared_norm.weight, inner.shared_norm.eps)
        self._shared = made(_fuse([shared.k_proj, shared.v_proj]))
        self._key_norm = _Norm(shared.k_norm.weight.expand(shared.heads, -1), shared.k_norm.eps)
        self._reasoning = [_Reasoning(layer, made) for layer in inner.reasoning if isinstance(layer, ReasoningLayer)]
        self._norm = _Norm(inner.norm.weight, inner.norm.eps)
        self._graphs: _Graphs | None = None
        if compiled:
            self._graphs = self._compile()

    def trunk(self, slots: Slots, rows: slice, id_AT: Tensor) -> tuple[Tensor, KeyValues, Step]:
        """Read T more tokens of each of these rows: the trunk's output [A, T, M], and what the groups need."""
        place, angles_SD = slots.advance(rows, id_AT), (slots.cos_SD, slots.sin_SD)
        if self._graphs is not None and id_AT.shape[1] == 1:
            hidden_ATM, step = self._graphs.trunk(self, self._always_narrow(place), angles_SD)
        else:
            hidden_ATM, step = self._run_trunk(place, angles_SD)
        return hidden_ATM, KeyValues(place.kept_A2KXD[-1]), step

    def group(self, index: int, hidden_ATM: Tensor, kv: KeyValues, step: Step) -> Tensor:
        """Take some tokens of a step through one group of reasoning layers."""
        size = self.config.group_layers
        layers = self._reasoning[index * size : (index + 1) * size]
        if self._graphs is not None and hidden_ATM.shape[1] == 1 and all(layer.as_trained for layer in layers):
            taken_ATM: Tensor = self._graphs.group(layers, hidden_ATM, kv, step)
            return taken_ATM
        return _run_group(layers, hidden_ATM, kv, step)

    def to_full_depth(self, slots: Slots, first: int, hidden_ATM: Tensor) -> Tensor:
        """Take the last T tokens of A rows in adjacent slots, which the trunk has read, through all groups."""
        A, T = hidden_ATM.shape[:2]
        place = slots.review(slice(first, first + A), T)
        kv, step = KeyValues(place.kept_A2KXD[-1]), look(place, (slots.cos_SD, slots.sin_SD), self.config)
        if self._graphs is not None and 1 < A * T <= FEW:  # the graphs take one token of each row: make rows of them
            hidden_ATM, kv, step = hidden_ATM.view(A * T, 1, -1), kv.for_each(T), step.as_rows()
        for index in range(self.config.num_groups):
            hidden_ATM = self.group(index, hidden_ATM, kv, step)
        return hidden_ATM.view(A, T, -1)

    def exit(self, hidden_ATM: Tensor) -> Tensor:
        """At any exit, the logits [A, T, V] of the next token."""
        return self.head(self.normed(hidden_ATM))

    def normed(self, hidden_ATM: Tensor) -> Tensor:
        """The states that the head reads."""
        return self._norm(hidden_ATM)

    def head(self, normed_ATM: Tensor) -> Tensor:
        """The logits of these states."""
        return product(normed_ATM, self._head)

    def _run_trunk(self, place: Place, angles_SD: tuple[Tensor, Tensor]) -> tuple[Tensor, Step]:
        step = look(place, angles_SD, self.config)
        near_AYM = F.embedding(place.recent_AY.clamp(min=0), self.table_VM) * (place.recent_AY >= 0)[..., None]
        hidden_ATM: Tensor = (near_AYM.unfold(1, self.config.convolution_width, 1) * self._taps_MW).sum(-1)
        changes = means(place, hidden_ATM.dtype) if self.config.layered else None
        for index, layer in enumerate(self._trunk):
            hidden_ATM = layer(hidden_ATM, place, changes, step, index)
        key, value = product(self._shared_norm(hidden_ATM), self._shared).chunk(2, dim=-1)
        size = (-1, self.config.head_dim)
        write(-1, place, changes, _turn(key.unflatten(-1, size), self._key_norm, step), value.unflatten(-1, size))
        return hidden_ATM, step

    def _always_narrow(self, place: Place) -> Place:
        """The same for a graph, which is to serve whether units must be chosen or not."""
        return place._replace(top=self.config.top_units) if self.config.layered else place

    @torch.inference_mode()
    def _compile(self) -> _Graphs:
        """Make graphs of what one token of each of some rows goes through, by an example of three rows."""
        slots = Slots(self.config, 3, self.table_VM.dtype, self.table_VM.device)
        length = min(50, self.config.max_position_embeddings - 1)
        id_AT = torch.full((3, length), (self.config.separator_token_ids or [0])[0], device=self.table_VM.device)
        self.trunk(slots, slice(0, 3), id_AT)
        place, angles_SD = self._always_narrow(slots.advance(slice(0, 3), id_AT[:, :1])), (slots.cos_SD, slots.sin_SD)
        free: dict[Tensor, tuple[int, ...]] = {place.unit_AS: (0, 1)}
        free |= dict.fromkeys(place.kept_A2KXD, (0, 3))
        free |= dict.fromkeys((place.recent_AY, place.column_AT, place.unit_AT, place.held_A1), (0,))
        trunk = graph(Network._run_trunk, (self, place, angles_SD), free)
        hidden_ATM, step = self._run_trunk(place, angles_SD)
        kv, layers = KeyValues(place.kept_A2KXD[-1]), self._reasoning[: self.config.group_layers]
        free = {kv.kept_A2KXD: (0, 3), step.bias_A1LX: (0, 3), step.column_AS: (0, 1)}
        free |= dict.fromkeys((hidden_ATM, step.cos_AT1D, step.sin_AT1D), (0,))
        return _Graphs(trunk, graph(_run_group, (layers, hidden_ATM, kv, step), free))


class _Graphs(NamedTuple):
    """What is compiled. An exit is one product already."""

    trunk: Callable[[Network, Place, tuple[Tensor, Tensor]], tuple[Tensor, Step]]
    group: Callable[[list[_Reasoning], Tensor, KeyValues, Step], Tensor]


def _run_group(layers: list[_Reasoning], hidden_ATM: Tensor, kv: KeyValues, step: Step) -> Tensor:
    for layer in layers:
        hidden_ATM = layer(hidden_ATM, kv, step)
    return hidden_ATM


class _Norm:
    """A root-mean-square norm over the last dimension by way of the vector's length."""

    def __init__(self, gain: Tensor, eps: float) -> None:
        size = gain.shape[-1]
        self._gain = gain.detach().float() * size**0.5
        self._floor = self._gain.new_tensor((size * eps) ** 0.5)

    def __call__(self, x: Tensor) -> Tensor:
        length = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=torch.float32)
        normed: Tensor = x / torch.hypot(length, self._floor) * self._gain
        return normed.to(x.dtype)


class _Attention:
    """The projections of one layer's input, with its keys and values where it has its own, and what queries read."""

    def __init__(
        self,
        attention: LayeredAttention,
        norm: RMSNorm,
        made: Callable[[Tensor], Matrix],
        own: KeyValueProjection | None = None,
    ) -> None:
        self._norm, self._heads, self._size = _Norm(norm.weight, norm.eps), attention.heads, attention.head_dim
        self._own = 0 if own is None else own.heads
        keys, values = ([], []) if own is None else ([own.k_proj], [own.v_proj])
        gates = [] if attention.gate_proj is None else [attention.gate_proj]
        self._weight = made(_fuse([attention.q_proj, *keys, *values, *gates]))
        self._sizes = ((self._heads + self._own) * self._size, self._own * self._size, 3 * self._heads * len(gates))
        gains = [attention.q_norm.weight.expand(self._heads, -1) * self._size**-0.5]
        if own is not None:
            gains.append(own.k_norm.weight.expand(self._own, -1))
        self._turn = _Norm(torch.cat(gains), norm.eps)
        self._output = made(attention.o_proj.weight)

    def project(self, hidden_ATM: Tensor, step: Step) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Queries [A, T, H, D], keys and values [A, T, K, D], and gates [A, T, 3 * H]; sizes of 0 where none are."""
        heads, value, gate = product(self._norm(hidden_ATM), self._weight).split(self._sizes, dim=-1)
        heads_ATQD = _turn(heads.unflatten(-1, (self._heads + self._own, self._size)), self._turn, step)
        query_ATHD, key_ATKD = heads_ATQD.split((self._heads, self._own), dim=2)
        return query_ATHD, key_ATKD, value.unflatten(-1, (self._own, self._size)), gate

    def read(self, query_ATHD: Tensor, gate: Tensor, kv: KeyValues, step: Step) -> Tensor:
        """What the queries read, through the output projection: [A, T, M]."""
        A, T, H, D = query_ATHD.shape
        key_AKXD, value_AKXD = kv.kept_A2KXD.unbind(1)
        K, R = key_AKXD.shape[1], 3 if gate.shape[-1] else 1
        query_AKTGD = query_ATHD.unflatten(2, (K, -1)).transpose(1, 2)
        bias_AKLX = narrow(step, query_AKTGD, key_AKXD) if step.top else step.bias_A1LX
        query_AKLD = query_AKTGD[:, :, :, :, None].expand(-1, -1, -1, -1, R, -1).reshape(A, K, -1, D)
        read_AKLD = F.scaled_dot_product_attention(query_AKLD, key_AKXD, value_AKXD, bias_AKLX, scale=1.0)
        read_ATKGRD = read_AKLD.view(A, K, T, H // K, R, D).transpose(1, 2)
        if R > 1:
            gate_ATKG1R = gate.view(A, T, K, H // K, 1, R).softmax(-1)
            read_ATKGRD = gate_ATKG1R @ read_ATKGRD
        return product(read_ATKGRD.reshape(A, T, H * D), self._output)


class _Trunk:
    """A trunk layer."""

    def __init__(self, layer: TrunkLayer, made: Callable[[Tensor], Matrix]) -> None:
        self._attention = _Attention(layer.attention, layer.attention_norm, made, layer.key_value)
        self._norm = _Norm(layer.mlp_norm.weight, layer.mlp_norm.eps)
        self._gate_up, self._down = made(layer.mlp.gate_up_proj.weight), made(layer.mlp.down_proj.weight)

    def __call__(self, hidden_ATM: Tensor, place: Place, changes: Means | None, step: Step, index: int) -> Tensor:
        query_ATHD, key_ATKD, value_ATKD, gate = self._attention.project(hidden_ATM, step)
        write(index, place, changes, key_ATKD, value_ATKD)
        hidden_ATM = hidden_ATM + self._attention.read(query_ATHD, gate, KeyValues(place.kept_A2KXD[index]), step)
        return hidden_ATM + product(gated_silu(product(self._norm(hidden_ATM), self._gate_up)), self._down)


class _Reasoning:
    """A reasoning layer."""

    def __init__(self, layer: ReasoningLayer, made: Callable[[Tensor], Matrix]) -> None:
        self._attention = _Attention(layer.attention, layer.attention_norm, made)
        self._norm = _Norm(layer.moe_norm.weight, layer.moe_norm.eps)
        self._experts = Experts(layer.moe)

    @property
    def as_trained(self) -> bool:
        """Whether all experts are open to it and nobody counts which it takes."""
        return self._experts.as_trained

    def __call__(self, hidden_ATM: Tensor, kv: KeyValues, step: Step) -> Tensor:
        query_ATHD, _, _, gate = self._attention.project(hidden_ATM, step)
        hidden_ATM = hidden_ATM + self._attention.read(query_ATHD, gate, kv, step)
        return hidden_ATM + self._experts(self._norm(hidden_ATM).flatten(0, 1)).view_as(hidden_ATM)


def _as_it_is(weight: Tensor) -> Matrix:
    return weight


def _fuse(layers: list[Projection]) -> Tensor:
    """The weights of linear layers of the same input as one matrix, of which theirs become parts."""
    weight = torch.cat([layer.weight.detach() for layer in layers])
    for layer, part in zip(layers, weight.split([len(layer.weight) for layer in layers]), strict=True):
        layer.weight.data = part
    return weight


def _turn(heads_ATQD: Tensor, norm: _Norm, step: Step) -> Tensor:
    """The norm of each head, then rotary position embedding."""
    heads_ATQD = norm(heads_ATQD)
    return heads_ATQD * step.cos_AT1D + heads_ATQD.roll(heads_ATQD.shape[-1] // 2, -1) * step.sin_AT1D
