"""The best factors of low rank for the inputs that a matrix gets: SVD behind whitening (SVD-LLM, Wang et al. 2024,
arXiv 2403.07378).

With inputs x of second moment S = E[x xᵀ], the mean square of (W - BA)x is the squared Frobenius norm of (W - BA)S^½.
The truncated SVD of W S^½ makes it least, and its singular values say what is lost. Plain SVD is that with S = 1.

A dense matrix is a stack of one. Dimensions: E matrices of a stack, O outputs, I inputs, R rank, K = min(O, I).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

LEAST_EIGENVALUE = 1e-12
"""Of a second moment, by its largest one: what is below counts as this much, so that the root has an inverse."""


def roots(moment_XII: Tensor) -> tuple[Tensor, Tensor]:
    """The symmetric root of second moments, float64, and its inverse."""
    value_XI, vector_XII = torch.linalg.eigh(moment_XII.double())
    floor_X1 = (value_XI.amax(-1, keepdim=True) * LEAST_EIGENVALUE).clamp(min=1e-30)
    root_XI = value_XI.maximum(floor_X1).sqrt()
    back_XII = vector_XII.mT
    return vector_XII * root_XI[..., None, :] @ back_XII, vector_XII / root_XI[..., None, :] @ back_XII


def error_of(weight_EOI: Tensor, approximation_EOI: Tensor, moment_EII: Tensor) -> float:
    """The mean square of what is lost of the outputs, summed over outputs and the stack."""
    lost_EOI = weight_EOI.double() - approximation_EOI.double()
    return float((lost_EOI @ moment_EII.double() * lost_EOI).sum())


@dataclass(frozen=True)
class SeparateFactors:
    """Each matrix of a stack is `outer` times `inner`."""

    inner_ERI: Tensor
    outer_EOR: Tensor

    @property
    def rank(self) -> int:
        """Of each."""
        return self.inner_ERI.shape[1]

    @property
    def product_EOI(self) -> Tensor:
        """What they stand for."""
        return self.outer_EOR @ self.inner_ERI

    @property
    def tensors(self) -> dict[str, Tensor]:
        """The factors by their names in a model."""
        return {"inner": self.inner_ERI, "outer": self.outer_EOR}


class WhitenedStack:
    """The decompositions of the matrices of a stack, for second moments of their inputs.

    What is kept of them is float32 and reaches to the largest rank that is asked for: less than the stack itself, where
    factors of that rank are.
    """

    def __init__(self, weight_EOI: Tensor, moment_EII: Tensor, most: int | None = None) -> None:
        """most: the largest rank that factors are asked for; K by default."""
        root_EII, inverse_EII = roots(moment_EII)
        left_EOK, self._value_EK, right_EKI = torch.linalg.svd(weight_EOI.double() @ root_EII, full_matrices=False)
        self._left_EOR = left_EOK[..., :most].float()
        self._right_ERI = (right_EKI[:, :most] @ inverse_EII).float()

    @property
    def errors(self) -> list[float]:
        """What is lost at each rank from 0 to K, as in `error_of`."""
        square_K = self._value_EK.square().sum(0)
        lost_K = square_K.flip(0).cumsum(0).flip(0)
        return [*lost_K.tolist(), 0.0]

    def factors(self, rank: int) -> SeparateFactors:
        """The best factors of a rank; both have the same share in the size of the product."""
        half_ER = self._value_EK[:, :rank].sqrt()
        return SeparateFactors(
            half_ER[..., None] * self._right_ERI[:, :rank], self._left_EOR[..., :rank] * half_ER[:, None]
        )
