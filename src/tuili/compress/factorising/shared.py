"""Bases that all experts of a stack share: W_e ≈ outer · core_e · inner (Tucker's decomposition over experts).

The bases begin as the leading vectors of the stack unfolded along outputs and along inputs (HOSVD, De Lathauwer et al.
2000), and improve in turn, each for the other (HOOI). Outputs and cores take the second moment of each expert's own
inputs; the basis of inputs takes their sum, because one basis cannot whiten for all.

Dimensions: E experts, O outputs, I inputs, S shared outputs, R shared inputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from tuili.compress.factorising.whitened import error_of, roots

TURNS = 3
"""In which the bases improve."""


@dataclass(frozen=True)
class SharedFactors:
    """Each matrix of a stack is `outer` times its `core` times `inner`."""

    inner_RI: Tensor
    core_ESR: Tensor
    outer_OS: Tensor

    @property
    def rank(self) -> tuple[int, int]:
        """Shared outputs and inputs."""
        return self.core_ESR.shape[1], self.core_ESR.shape[2]

    @property
    def product_EOI(self) -> Tensor:
        """What they stand for."""
        return self.outer_OS @ self.core_ESR @ self.inner_RI

    @property
    def tensors(self) -> dict[str, Tensor]:
        """The factors by their names in a model."""
        return {"inner": self.inner_RI, "core": self.core_ESR, "outer": self.outer_OS}


class SharedStack:
    """The decompositions of a stack with shared bases, for second moments of the inputs of each expert."""

    def __init__(self, weight_EOI: Tensor, moment_EII: Tensor) -> None:
        self.weight_EOI, self.moment_EII = weight_EOI.double(), moment_EII.double()

    @cached_property
    def _pooled(self) -> tuple[Tensor, Tensor]:
        """The root of the sum of all experts' moments, and its inverse."""
        return roots(self.moment_EII.sum(0))

    @cached_property
    def _along(self) -> tuple[Tensor, Tensor]:
        """The squares of the outputs [O, O] of all experts, and those of the whitened inputs [I, I]."""
        weight, (root_II, _) = self.weight_EOI, self._pooled
        outputs_OO = (weight @ self.moment_EII @ weight.mT).sum(0)
        inputs_II = root_II @ (weight.mT @ weight).sum(0) @ root_II
        return outputs_OO, inputs_II / len(weight)

    @cached_property
    def lost_outputs(self) -> Tensor:
        """What is lost where so many directions of outputs are kept and all inputs, [O + 1]."""
        return _tails(self._along[0])

    @cached_property
    def lost_inputs(self) -> Tensor:
        """About what is lost where so many directions of inputs are kept and all outputs, [I + 1]."""
        return _tails(self._along[1])

    def factors(self, outputs: int, inputs: int) -> SharedFactors:
        """Factors of a rank; of all that came up in turn, those that lose the least."""
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
        """The best matrices behind a basis of inputs, of all outputs: least squares for each expert."""
        seen_ERR = inner_RI @ self.moment_EII @ inner_RI.mT
        crossed_EOR = self.weight_EOI @ self.moment_EII @ inner_RI.mT
        best_EOR: Tensor = torch.linalg.solve(seen_ERR, crossed_EOR, left=False)
        return best_EOR

    def _outer(self, best_EOR: Tensor, inner_RI: Tensor, outputs: int) -> Tensor:
        """The best basis of outputs for one of inputs: the leading vectors of what those matrices make of it.

        It is orthonormal, so that cores are these matrices seen through it.
        """
        crossed_EOR = self.weight_EOI @ self.moment_EII @ inner_RI.mT
        return _leading((best_EOR @ crossed_EOR.mT).sum(0), outputs)


def _leading(square_XX: Tensor, count: int) -> Tensor:
    """The vectors [X, count] of the largest eigenvalues of a symmetric matrix."""
    _, vector_XX = torch.linalg.eigh(square_XX)
    leading: Tensor = vector_XX.flip(-1)[:, :count]
    return leading


def _tails(square_XX: Tensor) -> Tensor:
    """The sums of all eigenvalues but the largest ones, for each number of these from 0 on."""
    value_X: Tensor = torch.linalg.eigvalsh(square_XX).clamp(min=0)
    return torch.cat([value_X.new_zeros(1), value_X.cumsum(0)]).flip(0)
