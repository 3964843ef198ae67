"""The best factors of low rank for the inputs that a matrix gets: SVD behind whitening (SVD-LLM, Wang et al. 2024,
arXiv 2403.07378).

With inputs x of second moment S = E[x xᵀ], the mean square of (W - BA)x is the squared Frobenius norm of (W - BA)S^½.
The truncated SVD of W S^½ makes it least, and its singular values say what is lost. Plain SVD is that with S = 1.

A dense matrix is a stack of one. Dimensions: E matrices of a stack, O outputs, I inputs, R rank, K = min(O, I).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

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
    """The decompositions of the matrices of a stack, for second moments of their inputs."""

    def __init__(self, weight_EOI: Tensor, moment_EII: Tensor) -> None:
        self.weight_EOI, self.moment_EII = weight_EOI.double(), moment_EII.double()

    @cached_property
    def _parts(self) -> tuple[Tensor, Tensor, Tensor]:
        """Left vectors [E, O, K], singular values [E, K], and right vectors with the whitening undone [E, K, I]."""
        root_EII, inverse_EII = roots(self.moment_EII)
        left_EOK, value_EK, right_EKI = torch.linalg.svd(self.weight_EOI @ root_EII, full_matrices=False)
        return left_EOK, value_EK, right_EKI @ inverse_EII

    @cached_property
    def errors(self) -> list[float]:
        """What is lost at each rank from 0 to K, as in `error_of`."""
        square_K = self._parts[1].square().sum(0)
        lost_K = square_K.flip(0).cumsum(0).flip(0)
        return [*lost_K.tolist(), 0.0]

    def factors(self, rank: int) -> SeparateFactors:
        """The best factors of a rank; both have the same share in the size of the product."""
        left_EOK, value_EK, right_EKI = self._parts
        half_ER = value_EK[:, :rank].sqrt()
        return SeparateFactors(half_ER[..., None] * right_EKI[:, :rank], left_EOK[..., :rank] * half_ER[:, None])
