"""Rounds weights input by input, with later inputs compensating for the loss: GPTQ (Frantar et al. 2022,
arXiv 2210.17323).

For inputs x with second moment S = E[x xᵀ] and S⁻¹ = Uᵀ U, the best compensation for the rounding error in the weights
of input i is to subtract U_ij / U_ii times the error from the weights of each later input j; the remaining loss counts
by 1 / U_ii². Each scale is the best of several for the weights at the time when they are rounded. The largest weight of
a scale always gets the number -8, so that rounding the result again does not change it.

A dense matrix is a stack of one. Dimensions: E matrices of a stack, O outputs, I inputs, G inputs of a scale.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tuili.compress.moments import damped
from tuili.model import mixed
from tuili.store import WEIGHT_GROUP

CLIPPED = (1.0, 0.95, 0.9, 0.85, 0.8)
"""Scales that are tried: the one that clips nothing, times each of these."""
DAMPING = 1e-2
"""The share of the mean variance of a stack's inputs that is added to each, as in GPTQ."""


@torch.no_grad()
def inverse_factors(moment_EII: Tensor, mixing: int) -> Tensor:
    """U [E, I, I] for second moments of inputs whose blocks are not yet mixed. mixing: the inputs of a block; 0 for
    none."""
    moment_EII = damped(mixed(mixed(moment_EII.double(), mixing).mT, mixing), DAMPING)
    upper_EII: Tensor = torch.linalg.cholesky(torch.linalg.inv(moment_EII), upper=True)
    return upper_EII


@torch.no_grad()
def compensated(weight_EOI: Tensor, upper_EII: Tensor, mixing: int) -> Tensor:
    """Weights, float64, that `round_weight` leaves unchanged in 4 bits after mixing their blocks. upper_EII: the result
    of `inverse_factors` for their inputs."""
    weight_EOI = mixed(weight_EOI.double() / max(1, mixing), mixing)
    upper_EII = upper_EII.to(weight_EOI.device)
    for begin in range(0, weight_EOI.shape[-1], WEIGHT_GROUP):
        group, behind = slice(begin, begin + WEIGHT_GROUP), slice(begin + WEIGHT_GROUP, None)
        rounded_EOG, error_EOG = _group(weight_EOI[..., group], upper_EII[:, group, group])
        weight_EOI[..., group] = rounded_EOG
        weight_EOI[..., behind] -= error_EOG @ upper_EII[:, group, behind]
    return mixed(weight_EOI, mixing)


def _group(weight_EOG: Tensor, upper_EGG: Tensor) -> tuple[Tensor, Tensor]:
    """The rounded weights of one scale, and the error of each that later inputs have to compensate for."""
    scale_EO1 = best_scales(weight_EOG, upper_EGG.diagonal(dim1=1, dim2=2)[:, None])
    largest_EO = weight_EOG.abs().argmax(-1)
    left_EOG, error_EOG = weight_EOG.clone(), torch.empty_like(weight_EOG)
    for column in range(weight_EOG.shape[-1]):
        number_EO1 = _numbers(left_EOG[..., column, None], scale_EO1)
        number_EO = torch.where(largest_EO == column, -8.0, number_EO1[..., 0])
        value_EO, diagonal_E1 = number_EO * scale_EO1[..., 0], upper_EGG[:, column, column, None]
        error_EOG[..., column] = (left_EOG[..., column] - value_EO) / diagonal_E1
        left_EOG[..., column:] -= error_EOG[..., column, None] * upper_EGG[:, None, column, column:]
        left_EOG[..., column] = value_EO
    return left_EOG, error_EOG


def best_scales(weight_EOG: Tensor, deviation_E1G: Tensor) -> Tensor:
    """The scales [E, O, 1], representable in fp16, with the least loss. deviation_E1G: its square divides the loss of
    each input."""
    largest_EO1 = weight_EOG.gather(-1, weight_EOG.abs().argmax(-1, keepdim=True))
    scale_CEO1 = torch.stack([(clipped * largest_EO1 / -8).half().double() for clipped in CLIPPED])
    lost_CEOG = (weight_EOG - _numbers(weight_EOG, scale_CEO1) * scale_CEO1) / deviation_E1G
    best_1EO1 = lost_CEOG.square().sum(-1, keepdim=True).argmin(0, keepdim=True)
    return scale_CEO1.gather(0, best_1EO1)[0]


def _numbers(weight: Tensor, scale: Tensor) -> Tensor:
    """The integers for weights at their scales; 0 for a scale of 0."""
    return (weight / torch.where(scale == 0, 1.0, scale)).round().clamp(-8, 7)
