"""The best low-rank factors for the inputs that a matrix gets: SVD after whitening (SVD-LLM, Wang et al. 2024,
arXiv 2403.07378).

For inputs x with second moment S = E[x xᵀ], the mean square of (W - BA)x is the squared Frobenius norm of (W - BA)S^½.
The truncated SVD of W S^½ minimises it, and its singular values give the loss. Plain SVD is the case S = 1.

A dense matrix is a stack of one. Dimensions: E matrices of a stack, O outputs, I inputs, R rank, K = min(O, I).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

LEAST_EIGENVALUE = 1e-12
"""The smallest eigenvalue of a second moment, as a share of the largest: any below is raised to it, so that the root
has an inverse."""


def roots(moment_XII: Tensor) -> tuple[Tensor, Tensor]:
    """The symmetric root of second moments, float64, and its inverse."""
    value_XI, vector_XII = torch.linalg.eigh(moment_XII.double())
    floor_X1 = (value_XI.amax(-1, keepdim=True) * LEAST_EIGENVALUE).clamp(min=1e-30)
    root_XI = value_XI.maximum(floor_X1).sqrt()
    back_XII = vector_XII.mT
    return vector_XII * root_XI[..., None, :] @ back_XII, vector_XII / root_XI[..., None, :] @ back_XII


def error_of(weight_EOI: Tensor, approximation_EOI: Tensor, moment_EII: Tensor) -> float:
    """The mean squared loss of the outputs, summed over outputs and the stack."""
    lost_EOI = weight_EOI.double() - approximation_EOI.double()
    return float((lost_EOI @ moment_EII.double() * lost_EOI).sum())


@dataclass(frozen=True)
class SeparateFactors:
    """Each matrix of a stack is `outer` times `inner`."""

    inner_ERI: Tensor
    outer_EOR: Tensor

    @property
    def rank(self) -> int:
        """The rank of each product."""
        return self.inner_ERI.shape[1]

    @property
    def product_EOI(self) -> Tensor:
        """The matrices that the factors stand for."""
        return self.outer_EOR @ self.inner_ERI

    @property
    def tensors(self) -> dict[str, Tensor]:
        """The factors by their names in a model."""
        return {"inner": self.inner_ERI, "outer": self.outer_EOR}


class WhitenedStack:
    """The decompositions of the matrices of a stack, given second moments of their inputs.

    They are stored in float32 and only up to the largest rank that is asked for. This takes less than the stack itself
    if factors of that rank do.
    """

    def __init__(self, weight_EOI: Tensor, moment_EII: Tensor, most: int | None = None) -> None:
        """most: the largest rank of factors that will be asked for; K by default."""
        root_EII, inverse_EII = roots(moment_EII)
        left_EOK, self._value_EK, right_EKI = torch.linalg.svd(weight_EOI.double() @ root_EII, full_matrices=False)
        self._left_EOR = left_EOK[..., :most].float()
        self._right_ERI = (right_EKI[:, :most] @ inverse_EII).float()

    @property
    def errors(self) -> list[float]:
        """The loss at each rank from 0 to K, as in `error_of`."""
        square_K = self._value_EK.square().sum(0)
        lost_K = square_K.flip(0).cumsum(0).flip(0)
        return [*lost_K.tolist(), 0.0]

    def factors(self, rank: int) -> SeparateFactors:
        """The best factors of a rank; both contribute equally to the scale of the product."""
        half_ER = self._value_EK[:, :rank].sqrt()
        return SeparateFactors(
            half_ER[..., None] * self._right_ERI[:, :rank], self._left_EOR[..., :rank] * half_ER[:, None]
        )
