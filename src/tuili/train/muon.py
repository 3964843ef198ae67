"""Muon in few large operations: matrices of one shape go through its iteration together.

The numbers are those of `torch.optim.Muon` up to rounding, and its state has the same names. Which parameters it
updates is left to `optim`.

Dimensions: n matrices, r rows, c columns, r <= c.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Muon


class StackedMuon(Muon):
    """Muon with updates of AdamW's size (Liu et al. 2025, arXiv 2502.16982)."""

    def __init__(self, matrices: Sequence[Tensor], learning_rate: float, weight_decay: float) -> None:
        super().__init__(matrices, lr=learning_rate, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw")

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # nobody minimises by repeated calls
        """Update the matrices that have a gradient."""
        for settings in self.param_groups:
            matrices = [matrix for matrix in settings["params"] if matrix.grad is not None]
            for shape in dict.fromkeys(map(lying_shape, matrices)):
                self._update(settings, [matrix for matrix in matrices if lying_shape(matrix) == shape])

    def _update(self, settings: dict[str, Any], matrices: list[Tensor]) -> None:
        """Update matrices of one shape, lying or standing."""
        momenta = [self._momentum(matrix) for matrix in matrices]
        gradients = [matrix.grad for matrix in matrices if matrix.grad is not None]
        torch._foreach_lerp_(momenta, gradients, 1 - settings["momentum"])
        ahead = torch._foreach_lerp(gradients, momenta, settings["momentum"])  # Nesterov's
        stacked_nrc = torch.stack([direction if _lies(direction) else direction.mT for direction in ahead])
        update_nrc = orthogonalised(stacked_nrc, settings["ns_coefficients"], settings["ns_steps"], settings["eps"])
        updates = [u if _lies(m) else u.mT for m, u in zip(matrices, update_nrc.float(), strict=True)]
        torch._foreach_mul_(matrices, 1 - settings["lr"] * settings["weight_decay"])
        torch._foreach_add_(matrices, updates, alpha=-0.2 * settings["lr"] * update_nrc.shape[2] ** 0.5)

    def _momentum(self, matrix: Tensor) -> Tensor:
        state = self.state[matrix]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(matrix)
        return state["momentum_buffer"]  # type: ignore[no-any-return]  # a state holds anything


def orthogonalised(matrix_nrc: Tensor, coefficients: tuple[float, float, float], iterations: int, eps: float) -> Tensor:
    """Each matrix with its singular values near 1, in bf16, by the Newton-Schulz iteration of Jordan et al. 2024."""
    a, b, c = coefficients
    x_nrc = matrix_nrc.bfloat16()
    x_nrc = x_nrc / torch.linalg.vector_norm(x_nrc, dim=(1, 2), keepdim=True).clamp(min=eps)
    for _ in range(iterations):
        gram_nrr = x_nrc @ x_nrc.mT
        polynomial_nrr = torch.baddbmm(gram_nrr, gram_nrr, gram_nrr, beta=b, alpha=c)
        x_nrc = torch.baddbmm(x_nrc, polynomial_nrr, x_nrc, beta=a)
    return x_nrc


def iteration_operations(matrix: Tensor) -> int:
    """Multiplications of one iteration for a matrix."""
    rows, columns = lying_shape(matrix)
    return rows * rows * (2 * columns + rows)


def lying_shape(matrix: Tensor) -> tuple[int, int]:
    """The numbers of rows and columns of the matrix, or of its transpose, with no more rows than columns."""
    rows, columns = sorted(matrix.shape)
    return rows, columns


def _lies(matrix: Tensor) -> bool:
    return matrix.shape[0] <= matrix.shape[1]
