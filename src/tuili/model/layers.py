"""The layers of the network: trunk layers, which write keys and values, and reasoning layers, which only read them.

`attention.py` decides what a query may read, `experts.py` holds the experts, `modeling.py` the whole network.

Dimensions: B rows, T tokens, S stored tokens, H heads, K key/value heads, D head size, M hidden size.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from transformers.cache_utils import Cache
from transformers.modeling_layers import GradientCheckpointingLayer

from tuili.model.attention import KeyValues, View, attend, attend_joint, attend_sparse, blend_weights
from tuili.model.cache import TuiliCacheLayer, add_to_units, unit_means
from tuili.model.config import TuiliConfig
from tuili.model.experts import MixtureOfExperts, Route
from tuili.model.fake_quantization import Roundable, RoundableLinear, Use, rounded_heads
from tuili.model.flex import FlexView, attend_flex, read_all
from tuili.model.kernels import Fusable, add_before, convolve, gated_silu, norm_and_rotate, output_dtype, rms_norm
from tuili.model.native_attention import attend_native
from tuili.model.reach import Reach
from tuili.model.units import Units


@dataclass(frozen=True)
class Frame:
    """What all layers of one forward pass know about its tokens.

    view: what each token may read; a `Reach` when training with the native library, a `FlexView` with flex attention.
    cos_BTD, sin_BTD: rotary angles. units: the units of all tokens so far; None without layered attention. cache: None
    if nothing is stored. real_BT: False for padding; None without padding. sparse: each row has one query, which
    gathers what it reads.
    """

    view: View | Reach | FlexView
    cos_BTD: Tensor
    sin_BTD: Tensor
    units: Units | None
    cache: Cache | None
    real_BT: Tensor | None = None
    sparse: bool = False

    def at(self, index_BQ: Tensor, real_BQ: Tensor | None) -> Frame:
        """The frame of some tokens, given by their columns; `real_BQ` is False for fillers."""
        wide_BQD = index_BQ[..., None].expand(-1, -1, self.cos_BTD.shape[-1])
        return replace(
            self,
            view=self.view.at(index_BQ) if isinstance(self.view, View) else self.view.at(index_BQ, real_BQ),
            cos_BTD=self.cos_BTD.gather(1, wide_BQD),
            sin_BTD=self.sin_BTD.gather(1, wide_BQD),
            real_BT=real_BQ,
        )

    def first(self, tokens: int, real_BQ: Tensor | None) -> Frame:
        """The frame of the first `tokens` tokens of each row; `real_BQ` as in `at`."""
        return replace(
            self,
            view=self.view.first(tokens) if isinstance(self.view, View) else self.view.first(tokens, real_BQ),
            cos_BTD=self.cos_BTD[:, :tokens],
            sin_BTD=self.sin_BTD[:, :tokens],
            real_BT=real_BQ,
        )

    def rows(self, rows: Tensor) -> Frame:
        """The frame of some rows of the batch. It has no cache, so nothing can be stored through it."""
        return replace(
            self,
            view=self.view.rows(rows),
            cos_BTD=self.cos_BTD[rows],
            sin_BTD=self.sin_BTD[rows],
            units=None if self.units is None else self.units.select(rows),
            real_BT=None if self.real_BT is None else self.real_BT[rows],
            cache=None,
        )


class RMSNorm(Fusable):
    """`kernels.rms_norm` with a weight; the output has the number format in which the next matrix product runs."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return self.kernel(rms_norm)(x, self.weight, self.eps, output_dtype(x))


class Projection(RoundableLinear):
    """A linear layer without bias whose initial weights have variance `scale`² / inputs."""

    def __init__(self, inputs: int, outputs: int, scale: float = 1.0, use: Use = "body") -> None:
        super().__init__(inputs, outputs, use)
        self.init_std = scale * inputs**-0.5


class ShortConvolution(Fusable):
    """Adds to each token a weighted sum of the few tokens before it in its document, channel by channel.

    Neighbours that belong together (`P2`, `49`) thus share a vector, and the first layer can already look up which
    token followed which. Methods: smeared keys (Olsson et al. 2022, arXiv 2209.11895), short convolutions (Poli et al.
    2023, arXiv 2302.10866). `reach_BT` is the number of tokens that precede each token in its document, so packing and
    padding change nothing.
    """

    def __init__(self, config: TuiliConfig) -> None:
        super().__init__()
        self.back = config.convolution_width - 1
        self.weight = nn.Parameter(torch.empty(self.back, config.hidden_size))

    def forward(self, embeds_BTM: Tensor, reach_BT: Tensor, memory: TuiliCacheLayer | None) -> Tensor:
        if memory is None:
            return self.kernel(convolve)(embeds_BTM, self.weight, reach_BT)
        return add_before(embeds_BTM, memory.extend(embeds_BTM, self.back), self.weight, reach_BT)


class KeyValueProjection(Roundable, Fusable):
    """Writes the keys and values of one cache layer."""

    def __init__(self, config: TuiliConfig, cache_index: int) -> None:
        super().__init__()
        self.heads, self.head_dim, self.layered = config.num_key_value_heads, config.head_dim, config.layered
        self.cache_index = cache_index
        self.k_proj = Projection(config.hidden_size, self.heads * self.head_dim)
        self.v_proj = Projection(config.hidden_size, self.heads * self.head_dim)
        self.k_norm = RMSNorm(self.head_dim, eps=config.rms_norm_eps)

    def forward(self, hidden_BTM: Tensor, frame: Frame) -> KeyValues:
        B, T, _ = hidden_BTM.shape
        key_BTKD = self.k_proj(hidden_BTM).view(B, T, self.heads, self.head_dim)
        value_BKTD = self.v_proj(hidden_BTM).view(B, T, self.heads, self.head_dim).transpose(1, 2)
        norm, angles = self.k_norm, (frame.cos_BTD, frame.sin_BTD)
        key_BKTD = self.kernel(norm_and_rotate)(key_BTKD, norm.weight, *angles, norm.eps)
        if self.rounding is not None and self.rounding.cache:
            key_BKTD, value_BKTD = rounded_heads(key_BKTD), rounded_heads(value_BKTD)
        key_BKSD, value_BKSD = key_BKTD, value_BKTD
        if frame.cache is not None:
            key_BKSD, value_BKSD = frame.cache.update(key_BKTD, value_BKTD, self.cache_index)
        if not self.layered or isinstance(frame.view, Reach):  # the native form computes the units' means itself
            return KeyValues(key_BKSD, value_BKSD)
        assert frame.units is not None
        if frame.cache is None:
            sums = add_to_units(None, key_BKTD, value_BKTD, frame.units.unit_BS, frame.units.count)
            return KeyValues(key_BKSD, value_BKSD, *unit_means(sums, key_BKTD.dtype))
        layer = frame.cache.layers[self.cache_index]
        assert isinstance(layer, TuiliCacheLayer)
        return KeyValues(key_BKSD, value_BKSD, *layer.pool(frame.units, T))


class LayeredAttention(Fusable):
    """Queries, gates and the output projection of one layer. The caller passes in the keys and values."""

    def __init__(self, config: TuiliConfig, output_scale: float) -> None:
        super().__init__()
        self.heads, self.head_dim = config.num_attention_heads, config.head_dim
        self.q_proj = Projection(config.hidden_size, self.heads * self.head_dim)
        self.o_proj = Projection(self.heads * self.head_dim, config.hidden_size, output_scale)
        self.q_norm = RMSNorm(self.head_dim, eps=config.rms_norm_eps)
        gates = (config.hidden_size, self.heads * 3)
        self.gate_proj = Projection(*gates, scale=0.0, use="decides") if config.layered else None

    def forward(self, hidden_BTM: Tensor, kv: KeyValues, frame: Frame) -> Tensor:
        B, T, _ = hidden_BTM.shape
        query_BTHD = self.q_proj(hidden_BTM).view(B, T, self.heads, self.head_dim)
        norm, angles = self.q_norm, (frame.cos_BTD, frame.sin_BTD)
        query_BHTD = self.kernel(norm_and_rotate)(query_BTHD, norm.weight, *angles, norm.eps)
        gate_BTH3 = None if self.gate_proj is None else self.gate_proj(hidden_BTM).view(B, T, self.heads, 3)
        if isinstance(frame.view, Reach):
            assert gate_BTH3 is not None
            read_BHTD = attend_native(query_BHTD, kv, gate_BTH3, frame.view).transpose(1, 2)
        elif isinstance(frame.view, FlexView):
            assert gate_BTH3 is not None
            read_BHTD = attend_flex(query_BHTD, kv, gate_BTH3, frame.view, self.kernel(read_all))
        elif gate_BTH3 is None:
            read_BHTD = attend(query_BHTD, kv, None, frame.view)
        elif frame.sparse and frame.units is not None:
            read_BHTD = attend_sparse(query_BHTD, kv, gate_BTH3, frame.view, frame.units)
        elif T == 1 or (self.fused and self.training):
            read_BHTD = attend_joint(query_BHTD, kv, gate_BTH3, frame.view, self.kernel(blend_weights))
        else:
            read_BHTD = attend(query_BHTD, kv, gate_BTH3, frame.view)
        output_BTM: Tensor = self.o_proj(read_BHTD.transpose(1, 2).flatten(2))
        return output_BTM


class FeedForward(Fusable):
    """The trunk's dense gated network, gate and up projection fused."""

    def __init__(self, config: TuiliConfig) -> None:
        super().__init__()
        self.gate_up_proj = Projection(config.hidden_size, 2 * config.intermediate_size)
        self.down_proj = Projection(config.intermediate_size, config.hidden_size, config.residual_scale)

    def forward(self, hidden_BTM: Tensor) -> Tensor:
        output_BTM: Tensor = self.down_proj(self.kernel(gated_silu)(self.gate_up_proj(hidden_BTM)))
        return output_BTM


class TrunkLayer(GradientCheckpointingLayer):
    """Attention over its own keys and values, then a dense feed-forward network."""

    def __init__(self, config: TuiliConfig, cache_index: int) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.key_value = KeyValueProjection(config, cache_index)
        self.attention = LayeredAttention(config, config.residual_scale)
        self.mlp_norm = RMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.mlp = FeedForward(config)

    def forward(self, hidden_BTM: Tensor, frame: Frame) -> Tensor:
        normed_BTM = self.attention_norm(hidden_BTM)
        hidden_BTM = hidden_BTM + self.attention(normed_BTM, self.key_value(normed_BTM, frame), frame)
        update_BTM: Tensor = self.mlp(self.mlp_norm(hidden_BTM))
        return hidden_BTM + update_BTM


class ReasoningLayer(GradientCheckpointingLayer):
    """Attention over the shared keys and values, then the domain experts. Also returns the router's decision.

    Untrained, it adds nothing to the stream.
    """

    def __init__(self, config: TuiliConfig) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.attention = LayeredAttention(config, 0.0)
        self.moe_norm = RMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.moe = MixtureOfExperts(config)

    def forward(self, hidden_BTM: Tensor, shared: KeyValues, frame: Frame) -> tuple[Tensor, Route]:
        hidden_BTM = hidden_BTM + self.attention(self.attention_norm(hidden_BTM), shared, frame)
        update_BTM, route = self.moe(self.moe_norm(hidden_BTM), frame.real_BT)
        return hidden_BTM + update_BTM, route
