"""Weights that are rounded input by input, where the inputs that follow make up for what rounding loses: GPTQ (Frantar
et al. 2022, arXiv 2210.17323).

With inputs x of second moment S = E[x xᵀ] and S⁻¹ = Uᵀ U, what rounding adds to the weights of input i is best made up
for by taking its U_ij / U_ii away from those of each later input j. Scales are those of the weights as they are when
their turn comes, and the largest weight of a scale keeps its number, so that what comes out is rounded to itself.

A dense matrix is a stack of one. Dimensions: E matrices of a stack, O outputs, I inputs, G inputs of a scale.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tuili.compress.moments import damped
from tuili.model import mixed, round_weight
from tuili.store import WEIGHT_GROUP

DAMPING = 1e-2
"""Of the mean variance of a stack's inputs, the share that is added to each, as in GPTQ."""


@torch.no_grad()
def compensated(weight_EOI: Tensor, moment_EII: Tensor, mixing: int) -> Tensor:
    """Weights that `round_weight` takes as they are in 4 bits, once their blocks are mixed, float64. moment_EII: the
    second moments of their inputs. mixing: the inputs of a block; 0 for none."""
    weight_EOI = mixed(weight_EOI.double() / max(1, mixing), mixing)
    moment_EII = damped(mixed(mixed(moment_EII.double(), mixing).mT, mixing), DAMPING)
    upper_EII = torch.linalg.cholesky(torch.linalg.inv(moment_EII), upper=True).to(weight_EOI.device)
    for begin in range(0, weight_EOI.shape[-1], WEIGHT_GROUP):
        group, behind = slice(begin, begin + WEIGHT_GROUP), slice(begin + WEIGHT_GROUP, None)
        rounded_EOG, error_EOG = _group(weight_EOI[..., group], upper_EII[:, group, group])
        weight_EOI[..., group] = rounded_EOG
        weight_EOI[..., behind] -= error_EOG @ upper_EII[:, group, behind]
    return mixed(weight_EOI, mixing)


def _group(weight_EOG: Tensor, upper_EGG: Tensor) -> tuple[Tensor, Tensor]:
    """The weights of one scale, rounded, and for each of them what later inputs have to make up for."""
    first = round_weight(weight_EOG.float(), 4)
    number_EOG, scale_EO = first.number[..., 0, :].double(), first.scale[..., 0, 0].double()
    largest_EO = weight_EOG.abs().argmax(-1)
    left_EOG, error_EOG = weight_EOG.clone(), torch.empty_like(weight_EOG)
    for column in range(weight_EOG.shape[-1]):
        number_EO = (left_EOG[..., column] / torch.where(scale_EO == 0, 1.0, scale_EO)).round().clamp(-8, 7)
        number_EO = torch.where(largest_EO == column, number_EOG[..., column], number_EO)
        value_EO, diagonal_E1 = number_EO * scale_EO, upper_EGG[:, column, column, None]
        error_EOG[..., column] = (left_EOG[..., column] - value_EO) / diagonal_E1
        left_EOG[..., column:] -= error_EOG[..., column, None] * upper_EGG[:, None, column, column:]
        left_EOG[..., column] = value_EO
    return left_EOG, error_EOG
