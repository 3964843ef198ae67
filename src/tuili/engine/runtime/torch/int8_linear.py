"""Linear layers whose weights are rounded to 8 bits, or stay as they are.

Decoding takes as long as reading the weights. Whole numbers of 8 bits, with one scale for each output channel (absmax:
Dettmers et al. 2022, arXiv 2208.07339), are half the bytes of bf16 and a quarter of fp32. Inputs are rounded to bf16.
`lean_model` says which matrices are rounded.

Dimensions: N outputs, K inputs, R rows.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from tuili.errors import InputError

MAX_INT8_ROWS = 16
"""For more rows than this, a product with dequantised weights is faster."""
SIDE_MULTIPLE = 32
"""The kernel reads past the end of a matrix whose sides are no multiples of this."""
MAX_INT8 = 127


class Int8Weight(NamedTuple):
    """A matrix of 8-bit whole numbers and the scale of each output. Rows from `outputs` on are padding."""

    whole_NK: Tensor
    scale_N: Tensor
    outputs: int


Weight = Tensor | Int8Weight


def quantize(weight_NK: Tensor) -> Int8Weight:
    """A matrix rounded to 8 bits. Raises `InputError` for a matrix that the kernel cannot take."""
    outputs, inputs = weight_NK.shape
    if weight_NK.device.type != "cpu":
        raise InputError(f"int8 is for a CPU, and the model is on {weight_NK.device}: leave it out")
    if inputs % SIDE_MULTIPLE:
        raise InputError(
            f"int8 needs sizes that are multiples of {SIDE_MULTIPLE}, and this model has one of {inputs}: leave it out"
        )
    padded_NK = F.pad(weight_NK.detach().float(), (0, 0, 0, -outputs % SIDE_MULTIPLE))
    scale_N = (padded_NK.abs().amax(1) / MAX_INT8).clamp(min=1e-12).bfloat16()
    whole_NK = (padded_NK / scale_N[:, None].float()).round().clamp(-MAX_INT8, MAX_INT8).to(torch.int8)
    return Int8Weight(whole_NK, scale_N, outputs)


def linear(x: Tensor, weight: Weight) -> Tensor:
    """`x` [..., K] times the transposed matrix: [..., N], in the dtype of `x`."""
    if isinstance(weight, Tensor):
        return F.linear(x, weight)
    x_RK = x.flatten(0, -2).bfloat16().contiguous()
    if len(x_RK) <= MAX_INT8_ROWS or torch.compiler.is_compiling():
        output_RN = torch._weight_int8pack_mm(x_RK, weight.whole_NK, weight.scale_N)
    else:
        output_RN = F.linear(x_RK, weight.whole_NK.bfloat16()) * weight.scale_N
    return output_RN[:, : weight.outputs].reshape(*x.shape[:-1], -1).to(x.dtype)
