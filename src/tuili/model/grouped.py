"""Products of rows that are sorted by group with one matrix a group, and the sorting itself, with lean gradients.

Autograd's own gradient of `weight[e]` fills a tensor of the size of all weights for every group, and that of an index
adds rows one by one; both are avoided here. On a GPU the product is torch's `grouped_mm`.

Dimensions: N tokens, k slots, X = N * k sorted rows, E groups, I inputs, O outputs.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable


def grouped_linear(input_XI: Tensor, weight_EOI: Tensor, sizes: list[int]) -> Tensor:
    """[X, O]: the first sizes[0] rows times weight[0] transposed, the next sizes[1] times weight[1] transposed, …

    Equals `torch.cat([F.linear(rows, w) for rows, w in zip(input.split(sizes), weight)])`.
    """
    device = input_XI.device.type
    if torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
        input_XI, weight_EOI = input_XI.to(dtype), weight_EOI.to(dtype)
    if device == "cuda":
        ends = torch.tensor(sizes, device=input_XI.device).cumsum(0, dtype=torch.int32)
        return F.grouped_mm(input_XI, weight_EOI.transpose(1, 2), offs=ends)
    return _GroupedLinear.apply(input_XI, weight_EOI, sizes)  # type: ignore[no-any-return]  # apply is untyped


class _GroupedLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, input_XI: Tensor, weight_EOI: Tensor, sizes: list[int]) -> Tensor:
        ctx.save_for_backward(input_XI, weight_EOI)
        ctx.sizes = sizes
        output_XO = input_XI.new_empty(input_XI.shape[0], weight_EOI.shape[1])
        for rows, out, weight in _parts(sizes, input_XI, output_XO, weight_EOI):
            torch.mm(rows, weight.t(), out=out)
        return output_XO

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_XO: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        input_XI, weight_EOI = ctx.saved_tensors
        grad_input = grad_weight = None
        if ctx.needs_input_grad[0]:
            grad_input = torch.empty_like(input_XI)
            for grad, out, weight in _parts(ctx.sizes, grad_XO, grad_input, weight_EOI):
                torch.mm(grad, weight, out=out)
        if ctx.needs_input_grad[1]:
            grad_weight = torch.zeros_like(weight_EOI)
            for grad, rows, out in _parts(ctx.sizes, grad_XO, input_XI, grad_weight):
                torch.mm(grad.t(), rows, out=out)
        return grad_input, grad_weight, None


def _parts(
    sizes: list[int], first: Tensor, second: Tensor, per_group: Tensor
) -> list[tuple[Tensor, Tensor, Tensor]]:
    """The rows of two sorted tensors and the matrix of each group that has rows."""
    parts = zip(first.split(sizes), second.split(sizes), per_group, sizes, strict=True)
    return [(a, b, matrix) for a, b, matrix, size in parts if size]


def sort_rows(hidden_ND: Tensor, order_X: Tensor, back_X: Tensor) -> Tensor:
    """Each token once for every slot, in sorted order: row x is the token of slot `order_X[x]`."""
    return _SortRows.apply(hidden_ND, order_X, back_X)  # type: ignore[no-any-return]  # apply is untyped


class _SortRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden_ND: Tensor, order_X: Tensor, back_X: Tensor) -> Tensor:
        ctx.save_for_backward(back_X)
        ctx.tokens = hidden_ND.shape[0]
        return hidden_ND.index_select(0, order_X // (len(order_X) // max(1, ctx.tokens)))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_XD: Tensor) -> tuple[Tensor, None, None]:
        (back_X,) = ctx.saved_tensors
        return grad_XD.index_select(0, back_X).view(ctx.tokens, -1, grad_XD.shape[-1]).sum(1), None, None


def unsort_rows(sorted_XD: Tensor, order_X: Tensor, back_X: Tensor) -> Tensor:
    """The inverse of the sorting, for a result of each slot: row y is that of slot y."""
    return _UnsortRows.apply(sorted_XD, order_X, back_X)  # type: ignore[no-any-return]  # apply is untyped


class _UnsortRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, sorted_XD: Tensor, order_X: Tensor, back_X: Tensor) -> Tensor:
        ctx.save_for_backward(order_X)
        return sorted_XD.index_select(0, back_X)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_XD: Tensor) -> tuple[Tensor, None, None]:
        (order_X,) = ctx.saved_tensors
        return grad_XD.index_select(0, order_X), None, None
