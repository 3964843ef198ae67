"""Products with weight matrices, as they are or rounded to 8 bits.

Writing token by token takes as long as reading the weights does. Whole numbers of 8 bits, with a scale for each output
(absmax, as in Dettmers et al. 2022, arXiv 2208.07339), are a half of bf16 and a quarter of fp32. Inputs are rounded to
bf16 for it. Which matrices of a model are rounded is left to `network`.

Dimensions: N outputs, K inputs, R rows.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from tuili.errors import InputError

FEW = 16
"""More rows than that are faster with the weights spelt out."""
STEP = 32
"""The kernel reads past the end of matrices whose sides are no multiples of this."""
LARGEST = 127


class Int8(NamedTuple):
    """A matrix of 8-bit whole numbers, and what those of each output are to be multiplied with. Behind the `outputs`
    there may be others of no meaning.
    """

    whole_NK: Tensor
    scale_N: Tensor
    outputs: int


Matrix = Tensor | Int8


def rounded(weight_NK: Tensor) -> Int8:
    """A matrix rounded to 8 bits. Raises `InputError` for one that the kernel cannot take."""
    outputs, inputs = weight_NK.shape
    if weight_NK.device.type != "cpu":
        raise InputError(f"int8 is for a CPU, and the model is on {weight_NK.device}: leave it out")
    if inputs % STEP:
        raise InputError(
            f"int8 needs sizes that are multiples of {STEP}, and this model has one of {inputs}: leave it out"
        )
    exact_NK = F.pad(weight_NK.detach().float(), (0, 0, 0, -outputs % STEP))
    scale_N = (exact_NK.abs().amax(1) / LARGEST).clamp(min=1e-12).bfloat16()
    whole_NK = (exact_NK / scale_N[:, None].float()).round().clamp(-LARGEST, LARGEST).to(torch.int8)
    return Int8(whole_NK, scale_N, outputs)


def product(x: Tensor, matrix: Matrix) -> Tensor:
    """`x` [..., K] times the transposed matrix: [..., N], in the format of `x`."""
    if isinstance(matrix, Tensor):
        return F.linear(x, matrix)
    x_RK = x.flatten(0, -2).bfloat16().contiguous()
    if len(x_RK) <= FEW or torch.compiler.is_compiling():
        found_RN = torch._weight_int8pack_mm(x_RK, matrix.whole_NK, matrix.scale_N)
    else:
        found_RN = F.linear(x_RK, matrix.whole_NK.bfloat16()) * matrix.scale_N
    return found_RN[:, : matrix.outputs].reshape(*x.shape[:-1], -1).to(x.dtype)
