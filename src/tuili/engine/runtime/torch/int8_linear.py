"""Linear layers with weights and inputs rounded to 8 bits, or with weights rounded to 4 bits, or unquantised.

The slow counterpart of the native int8 products, with the same numbers up to the order of two factors: 8-bit integers
with one scale per output channel of the weights and one per row of inputs (absmax: Dettmers et al. 2022, arXiv
2208.07339), whose products are summed exactly.

Dimensions: N outputs, K inputs, R rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from tuili.model import mixed, round_weight
from tuili.native import mixing_of
from tuili.store import Quantization

SIDE_MULTIPLE = 8
"""Matrix sides are padded to multiples of this, and on a GPU rows to `MIN_GPU_ROWS`, because cuBLAS requires it."""
MIN_GPU_ROWS = 32
MAX_INT8 = 127
LEAST_SCALE = 1e-12


class Int8Weight(NamedTuple):
    """A matrix of 8-bit integers, padded with zeros, and the scale of each output. mixing: block size of the Hadamard
    matrix by which inputs are multiplied before rounding; 0: none."""

    whole_KN: Tensor
    scale_N: Tensor
    mixing: int = 0


class Int4Weight(NamedTuple):
    """A matrix that was mixed and then rounded to 4 bits in groups: the values represented. mixing: see above."""

    value_NK: Tensor
    mixing: int


class Chain(NamedTuple):
    """Matrices applied one after another: low-rank factors, the one that reads the inputs first."""

    factors: tuple[Weight, ...]


class Beside(NamedTuple):
    """Matrices with the same input, whose outputs are concatenated."""

    parts: tuple[Weight, ...]


Weight: TypeAlias = Tensor | Int8Weight | Int4Weight | Chain | Beside


def quantize(weight_NK: Tensor, foreign: bool = False, device: torch.device | None = None) -> Int8Weight:
    """Round a matrix to 8 bits on its device.

    foreign: whether the model was not trained for 8 bits, so that its inputs are mixed. device: where the result goes.
    """
    outputs, inputs = weight_NK.shape
    weight_NK, mixing = weight_NK.detach().float(), mixing_of(inputs) if foreign else 0
    if mixing:
        weight_NK = _mixed(weight_NK, mixing) / mixing
    whole_NK, scale_N1 = _rounded(weight_NK)
    padded_NK = F.pad(whole_NK, (0, -inputs % SIDE_MULTIPLE, 0, -outputs % SIDE_MULTIPLE))
    return Int8Weight(padded_NK.to(device).t(), scale_N1[:, 0].to(device), mixing)


@dataclass(frozen=True)
class Converter:
    """Converts the matrices of one of Tuili's own models: they stay unchanged, are rounded to 8 bits, or are rounded as
    the model was trained for."""

    int8: bool = False
    trained: Quantization | None = None

    def __call__(self, weight_NK: Tensor) -> Weight:
        if self.trained is None:
            return quantize(weight_NK) if self.int8 else weight_NK
        if self.trained.bits(weight_NK.shape[1]) == 8:
            return quantize(weight_NK)
        block = self.trained.mixing(weight_NK.shape[1])
        return Int4Weight(round_weight(mixed(weight_NK.detach().float() / block, block), 4).value, block)


def linear(x: Tensor, weight: Weight) -> Tensor:
    """`x` [..., K] times the transposed matrix: [..., N], in the dtype of `x`."""
    if isinstance(weight, Tensor):
        return F.linear(x, weight)
    if isinstance(weight, Chain):
        for factor in weight.factors:
            x = linear(x, factor)
        return x
    if isinstance(weight, Beside):
        return torch.cat([linear(x, part) for part in weight.parts], dim=-1)
    x_RK = x.flatten(0, -2).float()
    if isinstance(weight, Int4Weight):
        whole_RK, scale_R1 = _rounded(_mixed(x_RK, weight.mixing))
        return (F.linear(whole_RK.float(), weight.value_NK) * scale_R1).to(x.dtype).view(*x.shape[:-1], -1)
    whole_RK, scale_R1 = _rounded(_mixed(x_RK, weight.mixing) if weight.mixing else x_RK)
    (R, K), rows = whole_RK.shape, MIN_GPU_ROWS if x.device.type == "cuda" else 0
    padded_RK = F.pad(whole_RK, (0, weight.whole_KN.shape[0] - K, 0, max(0, rows - R)))
    sum_RN = torch._int_mm(padded_RK, weight.whole_KN)[:R, : len(weight.scale_N)]
    return (sum_RN.float() * weight.scale_N * scale_R1).to(x.dtype).view(*x.shape[:-1], -1)


def _mixed(x_RK: Tensor, block: int) -> Tensor:
    """Each block of a row times the Hadamard matrix of its size."""
    signs = torch.ones(1, 1, device=x_RK.device)
    while len(signs) < block:
        signs = torch.cat([torch.cat([signs, signs], 1), torch.cat([signs, -signs], 1)])
    mixed_RK: Tensor = (x_RK.unflatten(1, (-1, block)) @ signs).flatten(1)
    return mixed_RK


def _rounded(x_RK: Tensor) -> tuple[Tensor, Tensor]:
    """The rows of a matrix as 8-bit integers, and the scale [R, 1] of each."""
    scale_R1 = (x_RK.abs().amax(1, keepdim=True) / MAX_INT8).clamp(min=LEAST_SCALE)
    return (x_RK / scale_R1).round().clamp(-MAX_INT8, MAX_INT8).to(torch.int8), scale_R1
