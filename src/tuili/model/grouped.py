"""Rows sorted by group, and their products with one matrix for each group, with cheap gradients.

Autograd's gradient of `weight[e]` fills a tensor of the size of all weights for every group, and its gradient of an
index adds rows one by one. Both are avoided here. On a GPU the product is torch's `grouped_mm`.

Dimensions: N tokens, k choices of each token, X = N * k of them, Y sorted rows, E groups, I inputs, O outputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

PAD_GROUPS_TO_ROWS = 16
"""Each group is padded to a multiple of this number of rows, if there are enough rows for that to pay off."""


def grouped_linear(input_YI: Tensor, weight_EOI: Tensor, sizes: list[int]) -> Tensor:
    """[Y, O]: the first sizes[0] rows times weight[0] transposed, the next sizes[1] times weight[1] transposed, …

    Equals `torch.cat([F.linear(rows, w) for rows, w in zip(input.split(sizes), weight)])`.
    """
    device = input_YI.device.type
    if torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
        input_YI, weight_EOI = input_YI.to(dtype), weight_EOI.to(dtype)
    if device == "cuda":
        return grouped_mm(input_YI, weight_EOI, sizes)
    return _GroupedLinear.apply(input_YI, weight_EOI, sizes)  # type: ignore[no-any-return]  # apply is untyped


def grouped_mm(input_YI: Tensor, weight_EOI: Tensor, sizes: list[int]) -> Tensor:
    """`grouped_linear` by torch's own operation; each row must take a multiple of 16 bytes."""
    ends = torch.tensor(sizes, device=input_YI.device).cumsum(0, dtype=torch.int32)
    return F.grouped_mm(input_YI, weight_EOI.transpose(1, 2), offs=ends)


class _GroupedLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, input_YI: Tensor, weight_EOI: Tensor, sizes: list[int]) -> Tensor:
        ctx.save_for_backward(input_YI, weight_EOI)
        ctx.sizes = sizes
        output_YO = input_YI.new_empty(input_YI.shape[0], weight_EOI.shape[1])
        for rows, out, weight in _parts(sizes, input_YI, output_YO, weight_EOI):
            torch.mm(rows, weight.t(), out=out)
        return output_YO

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_YO: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        input_YI, weight_EOI = ctx.saved_tensors
        grad_input = grad_weight = None
        if ctx.needs_input_grad[0]:
            grad_input = torch.empty_like(input_YI)
            for grad, out, weight in _parts(ctx.sizes, grad_YO, grad_input, weight_EOI):
                torch.mm(grad, weight, out=out)
        if ctx.needs_input_grad[1]:
            grad_weight = torch.empty_like(weight_EOI)
            for grad, rows, out in _parts(ctx.sizes, grad_YO, input_YI, grad_weight):
                torch.mm(grad.t(), rows, out=out)
            for matrix, size in zip(grad_weight, ctx.sizes, strict=True):
                if size == 0:
                    matrix.zero_()
        return grad_input, grad_weight, None


def _parts(sizes: list[int], first: Tensor, second: Tensor, per_group: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
    """The rows of two sorted tensors and the matrix of each group that has rows."""
    parts = zip(first.split(sizes), second.split(sizes), per_group, sizes, strict=True)
    return [(a, b, matrix) for a, b, matrix, size in parts if size]


@dataclass(frozen=True)
class Sorting:
    """The positions of N tokens' choices when sorted by group; filler rows pad each group to a multiple of some number.

    Matrix libraries build a kernel for each new shape; the fillers keep the number of shapes small. `row_Nk` is the
    sorted row of each choice, `token_Y` the token of each sorted row (0 in fillers), `sizes` the number of rows of each
    group.
    """

    row_Nk: Tensor
    token_Y: Tensor
    sizes: list[int]

    @classmethod
    def by_group(cls, group_Nk: Tensor, groups: int) -> Sorting:
        """Sort the choices of each token, given their groups."""
        group_X = group_Nk.flatten()
        choices, device = len(group_X), group_X.device
        multiple = PAD_GROUPS_TO_ROWS if choices >= 2 * PAD_GROUPS_TO_ROWS * groups else 1
        counts_E = torch.bincount(group_X, minlength=groups)
        sizes_E = (counts_E + multiple - 1) // multiple * multiple
        shift_E = (sizes_E - counts_E).cumsum(0) - (sizes_E - counts_E)  # fillers of the preceding groups
        order_X = group_X.argsort(stable=True)
        sorted_row_X = torch.arange(choices, device=device) + shift_E[group_X[order_X]]
        token_Y = group_X.new_zeros(int(sizes_E.sum())).scatter_(0, sorted_row_X, order_X // group_Nk.shape[1])
        row_X = torch.empty_like(order_X).scatter_(0, order_X, sorted_row_X)
        return cls(row_X.view_as(group_Nk), token_Y, sizes_E.tolist())

    def sort(self, value_Nk: Tensor) -> Tensor:
        """[Y]: one value for each choice, in sorted order; 0 in fillers."""
        return value_Nk.new_zeros(len(self.token_Y)).index_copy(0, self.row_Nk.flatten(), value_Nk.flatten())


def sort_rows(hidden_ND: Tensor, sorting: Sorting) -> Tensor:
    """[Y, D]: the token of every sorted row."""
    return _SortRows.apply(hidden_ND, sorting)  # type: ignore[no-any-return]  # apply is untyped


def sum_choices(sorted_YD: Tensor, sorting: Sorting) -> Tensor:
    """[N, D]: the sum of each token's sorted rows. Fillers are left out, but get the gradient of token 0."""
    return _SumChoices.apply(sorted_YD, sorting)  # type: ignore[no-any-return]  # apply is untyped


class _SortRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden_ND: Tensor, sorting: Sorting) -> Tensor:
        ctx.sorting = sorting
        return hidden_ND.index_select(0, sorting.token_Y)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_YD: Tensor) -> tuple[Tensor, None]:
        return F.embedding_bag(ctx.sorting.row_Nk, grad_YD, mode="sum"), None


class _SumChoices(torch.autograd.Function):
    """The transpose of `_SortRows`. `embedding_bag` gathers and adds in one pass over memory."""

    @staticmethod
    def forward(ctx: Any, sorted_YD: Tensor, sorting: Sorting) -> Tensor:
        ctx.sorting = sorting
        return F.embedding_bag(sorting.row_Nk, sorted_YD, mode="sum")

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_ND: Tensor) -> tuple[Tensor, None]:
        return grad_ND.index_select(0, ctx.sorting.token_Y), None
