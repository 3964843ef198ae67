"""Weights and inputs of products as whole numbers, in torch: to the bit what the native step makes of them.

Rounding is to the nearest, to even of two that are equally near; scales are symmetric. The twins in numpy stand in
`tuili.native.rounding`, those in C++ in its `prepare.h` and `cache.h`. How a model learns through them is left to
`fake_quantization`.

Dimensions: N outputs, K inputs, G groups of 32 inputs, I inputs of a group, D head size.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from tuili.store import WEIGHT_GROUP

MOST = 127
LEAST_ROW, LEAST_OUTPUT, LEAST_HEAD = 1e-30, 1e-30, 1e-20
"""Where nothing in a row, an output or a head is larger than this, their scales stay finite."""
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
        """What the numbers stand for, [..., K]."""
        value = self.number * self.scale
        return value if self.bits == 8 else value.flatten(-2)


def round_rows(x: Tensor) -> Rounded:
    """Inputs of products [..., K], by the largest size of each row. A row of nothing gets the scale 0."""
    x = x.float()
    top = x.abs().amax(-1, keepdim=True)
    is_something = top >= LEAST_ROW
    unit = torch.where(is_something, MOST / top, 0.0)
    return Rounded((x * unit).round_(), torch.where(is_something, top / MOST, 0.0))


def round_weight(weight: Tensor, bits: Bits) -> Rounded:
    """Weights [..., N, K]: from -127 to 127 by the largest size of each output, or with 4 bits from -8 to 7 by that of
    each group of inputs, which stands for -8; its scale is a number of fp16.

    Rounded weights are rounded to themselves, with the same scales (with 4 bits where a group's largest size is above
    the least normal number of fp16): so a model that was read from whole numbers computes with the very same.
    """
    if bits == 4:
        group, scale = _in_steps(weight)
        return Rounded(group.round_().clamp_(-8, 7), scale, 4)
    scale = weight.abs().amax(-1, keepdim=True).clamp(min=LEAST_OUTPUT) / MOST
    return Rounded((weight / scale).round_(), scale)


def trust_mask(weight: Tensor, rounded: Rounded) -> Tensor | None:
    """True for weights [..., N, K] that are at most half a step from what they were rounded to; None for all.

    The others were clipped, and the gradient at the rounded weight says little about them: the trust estimator of QuEST
    (Panferov et al. 2025, arXiv 2502.05003). Scales of 8 bits clip nothing.
    """
    if rounded.bits == 8:
        return None
    group, _ = _in_steps(weight)
    return ((group - rounded.number).abs_() <= 0.5).flatten(-2)


def _in_steps(weight: Tensor) -> tuple[Tensor, Tensor]:
    """The groups of weights [..., N, G, I] in steps of their scales, and the scales [..., N, G, 1]."""
    group = weight.unflatten(-1, (-1, WEIGHT_GROUP))
    largest = group.gather(-1, group.abs().argmax(-1, keepdim=True))
    scale = (largest / -8).half().float()
    return group / torch.where(scale == 0, 1.0, scale), scale


def mixed(x: Tensor, block: int) -> Tensor:
    """The Walsh-Hadamard transform of each block of inputs [..., K], not normalised; a block of 0 leaves all as it is.

    Both sides of a product have it before they are rounded to fewer bits, or in an imported model: what is much larger
    than its neighbours is spread over them. Stages have the order of the native step, and so the bits.
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
    """Keys or values [..., D] as a cache of 8 bits keeps them, by the largest size of each head."""
    wide = head.float()
    top = wide.abs().amax(-1, keepdim=True).clamp(min=LEAST_HEAD)
    rounded: Tensor = (wide * (MOST / top)).round_() * (top / MOST)
    return rounded.to(head.dtype)
