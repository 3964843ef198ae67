"""Muon in few, large operations: matrices of the same shape go through its iteration together.

The results are those of `torch.optim.Muon` up to rounding, and its state has the same names. `optim` decides which
parameters it updates.

Dimensions: n matrices, r rows, c columns, d = min(r, c).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Muon

STACK_ELEMENTS = 1 << 20
"""A stack of more elements is divided, because a processor's caches no longer hold it."""
PAIRED_FROM = 1.5
"""From this ratio of sides up, two iterations on the Gram matrix take fewer operations than two on the matrix."""


class StackedMuon(Muon):
    """Muon with updates of AdamW's size (Liu et al. 2025, arXiv 2502.16982)."""

    def __init__(self, matrices: Sequence[Tensor], learning_rate: float, weight_decay: float) -> None:
        super().__init__(matrices, lr=learning_rate, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw")

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # no caller passes a closure
        """Update the matrices that have a gradient."""
        for settings in self.param_groups:
            matrices = [matrix for matrix in settings["params"] if matrix.grad is not None]
            for stack in _stacks(matrices):
                self._update(settings, stack)

    def _update(self, settings: dict[str, Any], matrices: list[Tensor]) -> None:
        """Update matrices of one shape."""
        momenta = [self._momentum(matrix) for matrix in matrices]
        gradients = [matrix.grad for matrix in matrices if matrix.grad is not None]
        update_nrc = self._updates(settings, torch.stack(self._ahead(settings, momenta, gradients)))
        self._apply(settings, matrices, list(update_nrc), max(update_nrc.shape[1:]))

    def _ahead(self, settings: dict[str, Any], momenta: list[Tensor], gradients: list[Tensor]) -> list[Tensor]:
        """Update the momenta with the gradients; returns what Nesterov's method makes orthogonal."""
        torch._foreach_lerp_(momenta, gradients, 1 - settings["momentum"])
        return list(torch._foreach_lerp(gradients, momenta, settings["momentum"]))

    def _updates(self, settings: dict[str, Any], stack_nrc: Tensor) -> Tensor:
        """The update directions of a step."""
        update_nrc = orthogonalised(stack_nrc, settings["ns_coefficients"], settings["ns_steps"], settings["eps"])
        return update_nrc.float()

    def _apply(self, settings: dict[str, Any], matrices: list[Tensor], updates: list[Tensor], longer: int) -> None:
        """Apply weight decay and the updates. longer: the longer side of the whole matrices."""
        torch._foreach_mul_(matrices, 1 - settings["lr"] * settings["weight_decay"])
        torch._foreach_add_(matrices, updates, alpha=-0.2 * settings["lr"] * longer**0.5)

    def _momentum(self, matrix: Tensor) -> Tensor:
        state = self.state[matrix]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(matrix)
        return state["momentum_buffer"]  # type: ignore[no-any-return]  # a state holds anything


def orthogonalised(matrix_nrc: Tensor, coefficients: tuple[float, float, float], iterations: int, eps: float) -> Tensor:
    """Each matrix with its singular values moved near 1, in bf16, by the Newton-Schulz iteration of Jordan et al. 2024.

    For matrices far from square, the first two and the last two iterations are computed on their Gram matrices.
    """
    x_nrc = matrix_nrc.bfloat16()
    x_nrc = x_nrc / torch.linalg.vector_norm(x_nrc, dim=(1, 2), keepdim=True).clamp(min=eps)
    is_paired = _is_paired(iterations, *sorted(x_nrc.shape[1:]))
    if is_paired:
        x_nrc = _iterated_twice(x_nrc, *coefficients, scale=coefficients[0])  # most singular values are small
    for _ in range(iterations - 4 if is_paired else iterations):
        x_nrc = _iterated(x_nrc, *coefficients)
    return _iterated_twice(x_nrc, *coefficients, scale=1.0) if is_paired else x_nrc


def _iterated(x_nrc: Tensor, a: float, b: float, c: float) -> Tensor:
    """a X + (b G + c G G) X with the Gram matrix G = X XT; if X is tall, everything is transposed."""
    gram_ndd = _gram(x_nrc)
    polynomial_ndd = torch.baddbmm(gram_ndd, gram_ndd, gram_ndd, beta=b, alpha=c)
    return _applied(polynomial_ndd, x_nrc, a)


def _iterated_twice(x_nrc: Tensor, a: float, b: float, c: float, scale: float) -> Tensor:
    """Two iterations with two products of the size of X, not four: the next Gram matrix is (a + b G + c G G)^2 G.

    A polynomial is stored as its difference from `scale`, by which it multiplies most singular values: if the two
    cancelled each other out, bf16 would round off too much. The same would happen if more iterations were applied to X
    at once, because each makes what is applied up to a times larger.
    """
    gram_ndd = _gram(x_nrc)
    first_ndd = _polynomial(gram_ndd, a - scale, b, c)
    half_ndd = torch.baddbmm(gram_ndd, first_ndd, gram_ndd, beta=scale)
    second_ndd = _polynomial(torch.baddbmm(half_ndd, half_ndd, first_ndd, beta=scale), a - scale, b, c)
    both_ndd = torch.baddbmm((first_ndd + second_ndd).mul_(scale), second_ndd, first_ndd)
    return _applied(both_ndd, x_nrc, scale * scale)


def _polynomial(gram_ndd: Tensor, a: float, b: float, c: float) -> Tensor:
    """a + b G + c G G."""
    linear_ndd = gram_ndd * b
    linear_ndd.diagonal(dim1=1, dim2=2).add_(a)
    return torch.baddbmm(linear_ndd, gram_ndd, gram_ndd, alpha=c)


def _gram(x_nrc: Tensor) -> Tensor:
    """X XT, or XT X if X is tall. Without an output tensor, torch takes a slower path for a single matrix."""
    x_ndl = x_nrc.mT if _stands(x_nrc) else x_nrc
    return torch.bmm(x_ndl, x_ndl.mT, out=x_nrc.new_empty(x_ndl.shape[0], x_ndl.shape[1], x_ndl.shape[1]))


def _applied(polynomial_ndd: Tensor, x_nrc: Tensor, scale: float) -> Tensor:
    """`scale` X + P X, or `scale` X + X P if X is tall: transposing X would take longer than some products."""
    if _stands(x_nrc):
        return torch.baddbmm(x_nrc, x_nrc, polynomial_ndd, beta=scale)
    return torch.baddbmm(x_nrc, polynomial_ndd, x_nrc, beta=scale)


def _stands(x_nrc: Tensor) -> bool:
    return x_nrc.shape[1] > x_nrc.shape[2]


def _is_paired(iterations: int, shorter: int, longer: int) -> bool:
    """Whether the first two and the last two iterations are computed in pairs."""
    return iterations >= 4 and longer >= PAIRED_FROM * shorter


def update_operations(matrix: Tensor, iterations: int = 5) -> int:
    """The number of multiplications in the iterations for a matrix."""
    shorter, longer = sorted(matrix.shape)
    alone, pair = 2 * longer + shorter, 2 * longer + 5 * shorter
    of_row = 2 * pair + (iterations - 4) * alone if _is_paired(iterations, shorter, longer) else iterations * alone
    return shorter * shorter * of_row


def _stacks(matrices: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Groups of matrices of the same shape, small enough for the caches."""
    for shape in dict.fromkeys(matrix.shape for matrix in matrices):
        alike = [matrix for matrix in matrices if matrix.shape == shape]
        size = max(1, STACK_ELEMENTS // shape.numel())
        yield from (alike[start : start + size] for start in range(0, len(alike), size))
