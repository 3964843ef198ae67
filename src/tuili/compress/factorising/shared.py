"""Bases that all experts of a stack share: W_e ≈ outer · core_e · inner (Tucker's decomposition over experts).

The bases start as the leading vectors of the stack unfolded along outputs and along inputs (HOSVD, De Lathauwer et al.
2000), and are improved alternately, each given the other (HOOI). Outputs and cores use the second moment of each
expert's own inputs; the basis of inputs uses their sum, because one basis cannot whiten for all experts.

Dimensions: E experts, O outputs, I inputs, S shared outputs, R shared inputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from tuili.compress.factorising.whitened import error_of, roots

TURNS = 3
"""How often the bases are improved."""


@dataclass(frozen=True)
class SharedFactors:
    """Each matrix of a stack is `outer` times its `core` times `inner`."""

    inner_RI: Tensor
    core_ESR: Tensor
    outer_OS: Tensor

    @property
    def rank(self) -> tuple[int, int]:
        """The numbers of shared outputs and inputs."""
        return self.core_ESR.shape[1], self.core_ESR.shape[2]

    @property
    def product_EOI(self) -> Tensor:
        """The matrices that the factors stand for."""
        return self.outer_OS @ self.core_ESR @ self.inner_RI

    @property
    def tensors(self) -> dict[str, Tensor]:
        """The factors by their names in a model."""
        return {"inner": self.inner_RI, "core": self.core_ESR, "outer": self.outer_OS}


class SharedStack:
    """The decompositions of a stack with shared bases, given second moments of the inputs of each expert."""

    def __init__(self, weight_EOI: Tensor, moment_EII: Tensor) -> None:
        self.weight_EOI, self.moment_EII = weight_EOI.double(), moment_EII.double()

    @cached_property
    def _pooled(self) -> tuple[Tensor, Tensor]:
        """The root of the sum of all experts' moments, and its inverse."""
        return roots(self.moment_EII.sum(0))

    @cached_property
    def _along(self) -> tuple[Tensor, Tensor]:
        """The squares of the outputs [O, O] of all experts, and of the whitened inputs [I, I]."""
        weight, (root_II, _) = self.weight_EOI, self._pooled
        outputs_OO = (weight @ self.moment_EII @ weight.mT).sum(0)
        inputs_II = root_II @ (weight.mT @ weight).sum(0) @ root_II
        return outputs_OO, inputs_II / len(weight)

    @cached_property
    def lost_outputs(self) -> Tensor:
        """The loss if this many output directions and all inputs are kept, [O + 1]."""
        return _tails(self._along[0])

    @cached_property
    def lost_inputs(self) -> Tensor:
        """About the loss if this many input directions and all outputs are kept, [I + 1]."""
        return _tails(self._along[1])

    def factors(self, outputs: int, inputs: int) -> SharedFactors:
        """Factors of a rank; the best of those found in all turns."""
        inner_RI = self._inner(_leading(self._along[1], inputs).mT)
        found = []
        for _ in range(TURNS):
            best_EOR = self._best(inner_RI)
            outer_OS = self._outer(best_EOR, inner_RI, outputs)
            made = SharedFactors(inner_RI, outer_OS.mT @ best_EOR, outer_OS)
            found.append((error_of(self.weight_EOI, made.product_EOI, self.moment_EII), made))
            turned_ESI = outer_OS.mT @ self.weight_EOI @ self._pooled[0]
            inner_RI = self._inner(_leading((turned_ESI.mT @ turned_ESI).sum(0), inputs).mT)
        _, best = min(found, key=lambda pair: pair[0])
        return best

    def _inner(self, direction_RI: Tensor) -> Tensor:
        """A basis of inputs that reads whitened directions."""
        return direction_RI @ self._pooled[1]

    def _best(self, inner_RI: Tensor) -> Tensor:
        """The best matrices, for all outputs, that follow a basis of inputs: least squares for each expert."""
        seen_ERR = inner_RI @ self.moment_EII @ inner_RI.mT
        crossed_EOR = self.weight_EOI @ self.moment_EII @ inner_RI.mT
        best_EOR: Tensor = torch.linalg.solve(seen_ERR, crossed_EOR, left=False)
        return best_EOR

    def _outer(self, best_EOR: Tensor, inner_RI: Tensor, outputs: int) -> Tensor:
        """The best basis of outputs for one of inputs: the leading vectors of the outputs of these matrices.

        It is orthonormal, so that the cores are the projections of these matrices onto it.
        """
        crossed_EOR = self.weight_EOI @ self.moment_EII @ inner_RI.mT
        return _leading((best_EOR @ crossed_EOR.mT).sum(0), outputs)


def _leading(square_XX: Tensor, count: int) -> Tensor:
    """The vectors [X, count] of the largest eigenvalues of a symmetric matrix."""
    _, vector_XX = torch.linalg.eigh(square_XX)
    leading: Tensor = vector_XX.flip(-1)[:, :count]
    return leading


def _tails(square_XX: Tensor) -> Tensor:
    """The sums of all eigenvalues except the largest `n`, for each `n` from 0 on."""
    value_X: Tensor = torch.linalg.eigvalsh(square_XX).clamp(min=0)
    return torch.cat([value_X.new_zeros(1), value_X.cumsum(0)]).flip(0)
