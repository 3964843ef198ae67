"""Weights and inputs of products rounded to whole numbers, in torch: bit-identical to the native step.

Rounding is to the nearest number, ties to even; quantisation scales are symmetric. The numpy twins are in
`tuili.native.rounding`, the C++ twins in its `prepare.h` and `cache.h`. `fake_quantization` trains a model through
these functions.

Dimensions: N outputs, K inputs, G groups of 32 inputs, I inputs of a group, D head size.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from tuili.store import WEIGHT_GROUP

MOST = 127
LEAST_ROW, LEAST_OUTPUT, LEAST_HEAD = 1e-30, 1e-30, 1e-20
"""Scales stay finite even if no number in a row, an output or a head exceeds these bounds."""
Bits = Literal[4, 8]


class Rounded(NamedTuple):
    """Whole numbers, as floats, and the scales that broadcast over them.

    Rows and weights of 8 bits: [..., K] and [..., 1]. Weights of 4 bits: [..., G, I] and [..., G, 1].
    """

    number: Tensor
    scale: Tensor
    bits: Bits = 8

    @property
    def value(self) -> Tensor:
        """The values that the numbers stand for, [..., K]."""
        value = self.number * self.scale
        return value if self.bits == 8 else value.flatten(-2)


def round_rows(x: Tensor) -> Rounded:
    """Rounds inputs of products [..., K] by each row's largest absolute value. A row below `LEAST_ROW` gets scale 0."""
    x = x.float()
    top = x.abs().amax(-1, keepdim=True)
    is_something = top >= LEAST_ROW
    unit = torch.where(is_something, MOST / top, 0.0)
    return Rounded((x * unit).round_(), torch.where(is_something, top / MOST, 0.0))


def round_weight(weight: Tensor, bits: Bits) -> Rounded:
    """Rounds weights [..., N, K]. 8 bits: from -127 to 127, by the largest absolute value of each output. 4 bits: from
    -8 to 7, by the number of largest absolute value in each group of inputs, which becomes -8; the scale is in fp16.

    Rounding already rounded weights gives the same numbers and scales (with 4 bits, if a group's largest absolute value
    is above the smallest normal fp16 number), so a model that was read from whole numbers computes with the same ones.
    """
    if bits == 4:
        group, scale = _in_steps(weight)
        return Rounded(group.round_().clamp_(-8, 7), scale, 4)
    scale = weight.abs().amax(-1, keepdim=True).clamp(min=LEAST_OUTPUT) / MOST
    return Rounded((weight / scale).round_(), scale)


def trust_mask(weight: Tensor, rounded: Rounded) -> Tensor | None:
    """True for weights [..., N, K] that are at most half a step from their rounded value; None if all are.

    The others were clipped, and the gradient at the rounded weight says little about them: the trust estimator of QuEST
    (Panferov et al. 2025, arXiv 2502.05003). At 8 bits, nothing is clipped.
    """
    if rounded.bits == 8:
        return None
    group, _ = _in_steps(weight)
    return ((group - rounded.number).abs_() <= 0.5).flatten(-2)


def _in_steps(weight: Tensor) -> tuple[Tensor, Tensor]:
    """The groups of weights [..., N, G, I] divided by their scales, and the scales [..., N, G, 1]."""
    group = weight.unflatten(-1, (-1, WEIGHT_GROUP))
    largest = group.gather(-1, group.abs().argmax(-1, keepdim=True))
    scale = (largest / -8).half().float()
    return group / torch.where(scale == 0, 1.0, scale), scale


def mixed(x: Tensor, block: int) -> Tensor:
    """The Walsh-Hadamard transform of each block of inputs [..., K], not normalised; a block of 0 changes nothing.

    Both sides of a product are transformed before rounding if its weights get 4 bits (inputs always get 8), or, in an
    imported model, 8: the transform spreads outliers over their neighbours. The order of stages is the native step's,
    and so are the bits.
    """
    if block == 0:
        return x
    result: Tensor = x.unflatten(-1, (-1, block))
    step = 1
    while step < block:
        low, high = result.unflatten(-1, (-1, 2, step)).unbind(-2)
        result = torch.stack([low + high, low - high], -2).flatten(-3)
        step *= 2
    return result.flatten(-2)


def round_heads(head: Tensor) -> Tensor:
    """Keys or values [..., D] as an 8-bit cache stores them, rounded by the largest absolute value of each head."""
    wide = head.float()
    top = wide.abs().amax(-1, keepdim=True).clamp(min=LEAST_HEAD)
    rounded: Tensor = (wide * (MOST / top)).round_() * (top / MOST)
    return rounded.to(head.dtype)
