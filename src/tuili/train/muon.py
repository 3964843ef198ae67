"""Muon in few large operations: matrices of one shape go through its iteration together.

The numbers are those of `torch.optim.Muon` up to rounding, and its state has the same names. Which parameters it
updates is left to `optim`.

Dimensions: n matrices, r rows, c columns, r <= c.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Muon

STACK_ELEMENTS = 1 << 20
"""A stack of more elements, which a processor's caches hold no more, is divided."""
PAIRED_FROM = 1.5
"""From this number of columns a row on, two iterations on the Gram matrix take fewer operations than on the matrix."""


class StackedMuon(Muon):
    """Muon with updates of AdamW's size (Liu et al. 2025, arXiv 2502.16982)."""

    def __init__(self, matrices: Sequence[Tensor], learning_rate: float, weight_decay: float) -> None:
        super().__init__(matrices, lr=learning_rate, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw")

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # nobody minimises by repeated calls
        """Update the matrices that have a gradient."""
        for settings in self.param_groups:
            matrices = [matrix for matrix in settings["params"] if matrix.grad is not None]
            for stack in _stacks(matrices):
                self._update(settings, stack)

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
    """Each matrix with its singular values near 1, in bf16, by the Newton-Schulz iteration of Jordan et al. 2024.

    The first and the last two iterations of wide matrices are made on their Gram matrices.
    """
    x_nrc = matrix_nrc.bfloat16()
    x_nrc = x_nrc / torch.linalg.vector_norm(x_nrc, dim=(1, 2), keepdim=True).clamp(min=eps)
    is_paired = _is_paired(iterations, *x_nrc.shape[1:])
    if is_paired:
        x_nrc = _iterated_twice(x_nrc, *coefficients, scale=coefficients[0])  # most singular values are small
    for _ in range(iterations - 4 if is_paired else iterations):
        x_nrc = _iterated(x_nrc, *coefficients)
    return _iterated_twice(x_nrc, *coefficients, scale=1.0) if is_paired else x_nrc


def _iterated(x_nrc: Tensor, a: float, b: float, c: float) -> Tensor:
    """a X + (b G + c G G) X with the Gram matrix G = X XT."""
    gram_nrr = _gram(x_nrc)
    polynomial_nrr = torch.baddbmm(gram_nrr, gram_nrr, gram_nrr, beta=b, alpha=c)
    return torch.baddbmm(x_nrc, polynomial_nrr, x_nrc, beta=a)


def _iterated_twice(x_nrc: Tensor, a: float, b: float, c: float, scale: float) -> Tensor:
    """Two iterations with two products of the size of X, not four: the next Gram matrix is (a + b G + c G G)^2 G.

    A polynomial is kept as what it adds to `scale`, by which it multiplies most singular values: where both cancelled
    out, bf16 would round off too much. It would also do so if more iterations were applied to X at once, each of which
    makes what is applied up to a times larger.
    """
    gram_nrr = _gram(x_nrc)
    first_nrr = _polynomial(gram_nrr, a - scale, b, c)
    half_nrr = torch.baddbmm(gram_nrr, first_nrr, gram_nrr, beta=scale)
    second_nrr = _polynomial(torch.baddbmm(half_nrr, half_nrr, first_nrr, beta=scale), a - scale, b, c)
    both_nrr = torch.baddbmm((first_nrr + second_nrr).mul_(scale), second_nrr, first_nrr)
    return torch.baddbmm(x_nrc, both_nrr, x_nrc, beta=scale * scale)


def _polynomial(gram_nrr: Tensor, a: float, b: float, c: float) -> Tensor:
    """a + b G + c G G."""
    linear_nrr = gram_nrr * b
    linear_nrr.diagonal(dim1=1, dim2=2).add_(a)
    return torch.baddbmm(linear_nrr, gram_nrr, gram_nrr, alpha=c)


def _gram(x_nrc: Tensor) -> Tensor:
    """X XT. Without a place for the result torch takes a slower way for a single matrix."""
    return torch.bmm(x_nrc, x_nrc.mT, out=x_nrc.new_empty(x_nrc.shape[0], x_nrc.shape[1], x_nrc.shape[1]))


def _is_paired(iterations: int, rows: int, columns: int) -> bool:
    """Whether the first and the last two iterations are made in pairs."""
    return iterations >= 4 and columns >= PAIRED_FROM * rows


def update_operations(matrix: Tensor, iterations: int = 5) -> int:
    """Multiplications of the iterations for a matrix."""
    rows, columns = lying_shape(matrix)
    alone, pair = 2 * columns + rows, 2 * columns + 5 * rows
    of_row = 2 * pair + (iterations - 4) * alone if _is_paired(iterations, rows, columns) else iterations * alone
    return rows * rows * of_row


def _stacks(matrices: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Groups of matrices of one shape, lying or standing, that are small enough for the caches."""
    for shape in dict.fromkeys(map(lying_shape, matrices)):
        alike = [matrix for matrix in matrices if lying_shape(matrix) == shape]
        size = max(1, STACK_ELEMENTS // (shape[0] * shape[1]))
        yield from (alike[start : start + size] for start in range(0, len(alike), size))


def lying_shape(matrix: Tensor) -> tuple[int, int]:
    """The numbers of rows and columns of the matrix, or of its transpose, with no more rows than columns."""
    rows, columns = sorted(matrix.shape)
    return rows, columns


def _lies(matrix: Tensor) -> bool:
    return matrix.shape[0] <= matrix.shape[1]
