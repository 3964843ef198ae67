"""Implementations of a model's operations: plain torch, compiled elementwise chains, or the native library.

A module with several implementations is `Fusable`; `set_kernels` chooses for all modules of a model. All of them give
the same numbers up to rounding. Training may use any of them, inference uses the plain one. `native_ops` calls the
library.

Dimensions: B rows, T tokens, S = T + W tokens with those before them, W distances, H heads, D head size, M hidden size,
F expert or feed-forward size, N tokens with a loss, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tuili.model import native_chains
from tuili.model.rotary import rotate

Function = TypeVar("Function", bound=Callable[..., Any])


class Fusable(nn.Module):
    """A module whose `kernel(f)` is `f`, or a faster form of `f` while the module trains.

    fused: whether training uses compiled kernels. by_library: whether training uses the native library for those parts
    of the module that it implements. by_flex: whether training uses torch's flex attention.
    """

    fused = False
    by_library = False
    by_flex = False

    @property
    def native(self) -> bool:
        """Whether the module uses the native library in its present state."""
        return self.by_library and self.training

    @property
    def flex(self) -> bool:
        """Whether the module uses flex attention in its present state."""
        return self.by_flex and self.training

    def kernel(self, function: Function) -> Function:
        """The implementation of a function that this module uses in its present state."""
        if self.native and function in BY_LIBRARY:
            return cast(Function, BY_LIBRARY[function])
        return compiled(function) if self.fused and self.training else function


def set_kernels(model: nn.Module, *, fused: bool, native: bool = False, flex: bool = False) -> None:
    """Choose for every fusable module of a model whether training uses compiled kernels, the native library and flex
    attention."""
    for module in model.modules():
        if isinstance(module, Fusable):
            module.fused, module.by_library, module.by_flex = fused, native, flex


@cache
def compiled(function: Function) -> Function:
    """The function, compiled for shapes of any size. Needs a C++ compiler, or Triton on a GPU."""
    return cast(Function, torch.compile(function, dynamic=True))


def rms_norm(x: Tensor, weight: Tensor, eps: float, dtype: torch.dtype) -> Tensor:
    """Root-mean-square norm over the last dimension (Zhang and Sennrich 2019, arXiv 1910.07467)."""
    wide = x.float()
    return (wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + eps) * weight).to(dtype)


def norm_and_rotate(x_BTHD: Tensor, weight_D: Tensor, cos_BTD: Tensor, sin_BTD: Tensor, eps: float) -> Tensor:
    """Norms each head, then applies rotary position embedding to the pairs (i, i + D/2). Returns [B, H, T, D]."""
    x_BTHD = rms_norm(x_BTHD, weight_D, eps, torch.float32).to(x_BTHD.dtype)
    cos_BT1D, sin_BT1D = cos_BTD[:, :, None].to(x_BTHD.dtype), sin_BTD[:, :, None].to(x_BTHD.dtype)
    return rotate(x_BTHD, cos_BT1D, sin_BT1D).transpose(1, 2).contiguous()


def gated_silu(gate_up: Tensor) -> Tensor:
    """SwiGLU (Shazeer 2020, arXiv 2002.05202): the first half of the last dimension gates the second."""
    gate, up = gate_up.chunk(2, dim=-1)
    return F.silu(gate) * up


def weighted_gated_silu(gate_up: Tensor, weight: Tensor) -> Tensor:
    """`gated_silu`, multiplied by a weight for each row."""
    return gated_silu(gate_up) * weight.to(gate_up.dtype)


def convolve(embeds_BTM: Tensor, weight_WM: Tensor, reach_BT: Tensor) -> Tensor:
    """Adds to each token the tokens 1 to W before it in its document, each multiplied by a weight for each channel.

    reach_BT: the number of tokens that precede each token in its document.
    """
    return add_before(embeds_BTM, F.pad(embeds_BTM, (0, 0, len(weight_WM), 0)), weight_WM, reach_BT)


def add_before(embeds_BTM: Tensor, padded_BSM: Tensor, weight_WM: Tensor, reach_BT: Tensor) -> Tensor:
    """Like `convolve`; `padded_BSM` holds the T tokens and the W before them."""
    W, T = len(weight_WM), embeds_BTM.shape[1]
    for distance, weight_M in enumerate(weight_WM, start=1):
        before_BTM = padded_BSM[:, W - distance :][:, :T]
        embeds_BTM = embeds_BTM + weight_M * before_BTM * (reach_BT >= distance)[..., None]
    return embeds_BTM


def token_loss(logits_NV: Tensor, target_N: Tensor) -> tuple[Tensor, Tensor]:
    """The mean cross-entropy of tokens, and 1 for each token whose target has the largest logit, else 0."""
    wide_NV = logits_NV.float()
    return F.cross_entropy(wide_NV, target_N), (wide_NV.detach().argmax(-1) == target_N).float()


BY_LIBRARY: dict[Callable[..., Any], Callable[..., Any]] = {
    rms_norm: native_chains.rms_norm,
    norm_and_rotate: native_chains.norm_and_rotate,
    gated_silu: native_chains.gated_silu,
    convolve: native_chains.convolve,
    token_loss: native_chains.token_loss,
}
"""Each chain, and its implementation in the native library."""


def output_dtype(x: Tensor) -> torch.dtype:
    """The number format in which a matrix product of `x` will run: autocast's format if autocast is on."""
    device = x.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype
