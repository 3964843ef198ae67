"""Quantisation-aware training: products use whole numbers forward, as in inference, and plain gradients backward.

A module that has such products is `Roundable`; `set_rounding` switches all modules of a model. Forward, a product is
the native step's: exact sums of whole numbers, multiplied by the scales of both sides. Backward, rounding counts as the
identity (the straight-through estimator, Bengio et al. 2013, arXiv 1308.3432), except that clipped weights get no
gradient (`rounding.trust_mask`). The weights themselves stay unchanged, so optimisers and checkpoints need no change.

Dimensions: Y rows, I inputs, O outputs, E groups of rows, each with its own matrix; D head size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from tuili.model.kernels import output_dtype
from tuili.model.rounding import Bits, mixed, round_heads, round_rows, round_weight, trust_mask
from tuili.native import mixing_of
from tuili.store import Quantization

Use = Literal["body", "head", "decides"]


class Roundable(nn.Module):
    """A module that computes in whole numbers if `rounding` is set."""

    rounding: Quantization | None = None


def set_rounding(model: nn.Module, rounding: Quantization | None) -> None:
    """Make every roundable module of a model compute in these numbers; None for its own number format."""
    for module in model.modules():
        if isinstance(module, Roundable):
            module.rounding = rounding


class RoundableLinear(Roundable, nn.Linear):
    """A linear layer without bias. A small layer that decides much is not rounded, and a head keeps 8 bits."""

    def __init__(self, inputs: int, outputs: int, use: Use = "body") -> None:
        super().__init__(inputs, outputs, bias=False)
        self.use = use

    def forward(self, input: Tensor) -> Tensor:
        if self.rounding is None or self.use == "decides":
            return super().forward(input)
        if self.use == "head":
            return rounded_linear(input, self.weight, 8)
        size = self.in_features
        return rounded_linear(input, self.weight, self.rounding.bits(size), self.rounding.mixing(size))


def rounded_linear(x: Tensor, weight_OI: Tensor, bits: Bits, mixing: int = 0) -> Tensor:
    """`x` [..., I] times the transposed matrix, both rounded: [..., O]. mixing: the number of inputs in a block that is
    mixed before rounding; 0 for no mixing."""
    x_YI = x.flatten(0, -2)
    return rounded_products(x_YI, weight_OI[None], [len(x_YI)], bits, mixing).view(*x.shape[:-1], len(weight_OI))


def rounded_products(x_YI: Tensor, weight_EOI: Tensor, sizes: Sequence[int], bits: Bits, mixing: int = 0) -> Tensor:
    """`grouped.grouped_linear` with rounded rows and matrices."""
    dtype = output_dtype(x_YI)
    if mixing:
        x_YI, weight_EOI = _Mixed.apply(x_YI, mixing), _Mixed.apply(weight_EOI / mixing, mixing)
    product: Tensor = _Products.apply(x_YI, weight_EOI, sizes, bits, dtype)
    return product


def foreign_linear(x: Tensor, weight_OI: Tensor, bits: Bits = 8) -> Tensor:
    """`rounded_linear` as in the native step of an imported model, which mixes inputs at 8 bits too."""
    return rounded_linear(x, weight_OI, bits, mixing_of(weight_OI.shape[1]))


class _Products(torch.autograd.Function):
    """On a CPU, products of 8 bits are bit-identical to those of the native step."""

    @staticmethod
    def forward(
        ctx: Any, x_YI: Tensor, weight_EOI: Tensor, sizes: Sequence[int], bits: Bits, dtype: torch.dtype
    ) -> Tensor:
        x, weight = round_rows(x_YI), round_weight(weight_EOI.float(), bits)
        number_YI = x.number.to(torch.int8)
        if bits == 8:
            matrix_EOI, scale_EO = weight.number.to(torch.int8), weight.scale[..., 0]
        else:  # scales differ along the sum, so they are multiplied into its terms
            matrix_EOI, scale_EO = weight.value, None
        out_YO = torch.empty(len(x_YI), weight_EOI.shape[1], dtype=dtype, device=x_YI.device)
        for e, rows in _runs(sizes):
            sum_YO = _sums(number_YI[rows], matrix_EOI[e], dtype)
            scale = x.scale[rows] if scale_EO is None else x.scale[rows] * scale_EO[e]
            torch.mul(sum_YO, scale, out=out_YO[rows])
        ctx.sizes, ctx.dtype, ctx.of_x = sizes, dtype, x_YI.dtype
        ctx.save_for_backward(number_YI, x.scale, matrix_EOI, scale_EO, trust_mask(weight_EOI, weight))
        return out_YO

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_YO: Tensor) -> tuple[Tensor | None, ...]:
        number_YI, x_scale_Y1, matrix_EOI, scale_EO, trusted_EOI = ctx.saved_tensors
        dx_YI = dweight_EOI = None
        if ctx.needs_input_grad[0]:
            dx_YI = torch.empty(number_YI.shape, dtype=ctx.of_x, device=grad_YO.device)
            for e, rows in _runs(ctx.sizes):
                grad = grad_YO[rows] if scale_EO is None else grad_YO[rows] * scale_EO[e]
                dx_YI[rows] = grad.to(ctx.dtype) @ matrix_EOI[e].to(ctx.dtype)
        if ctx.needs_input_grad[1]:
            dweight_EOI = torch.zeros(matrix_EOI.shape, device=grad_YO.device)
            for e, rows in _runs(ctx.sizes):
                grad = (grad_YO[rows] * x_scale_Y1[rows]).to(ctx.dtype)
                dweight_EOI[e] = grad.t() @ number_YI[rows].to(ctx.dtype)
            if trusted_EOI is not None:
                dweight_EOI *= trusted_EOI
        return dx_YI, dweight_EOI, None, None, None


def _runs(sizes: Sequence[int]) -> Iterator[tuple[int, slice]]:
    """The groups that have rows, and the slice of each."""
    begin = 0
    for group, size in enumerate(sizes):
        if size:
            yield group, slice(begin, begin + size)
        begin += size


def _sums(number_YI: Tensor, matrix_OI: Tensor, dtype: torch.dtype) -> Tensor:
    """Rows times the transposed matrix: exact for 8-bit whole numbers on a CPU, else in `dtype`."""
    if matrix_OI.dtype is torch.int8 and number_YI.is_cpu:
        return torch._int_mm(number_YI, matrix_OI.t())
    return number_YI.to(dtype) @ matrix_OI.to(dtype).t()


class _Mixed(torch.autograd.Function):
    """`rounding.mixed`; its matrix is symmetric, so the gradient has the same form."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, block: int) -> Tensor:
        ctx.block = block
        return mixed(x.float(), block)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return mixed(grads[0].float(), ctx.block), None


def rounded_embeddings(embeds: Tensor, mixing: int = 0) -> Tensor:
    """Rows of an embedding [..., I] as stored in 8 bits, or as read back from a head whose blocks are mixed."""
    value = round_weight(mixed(embeds.detach().float() / max(1, mixing), mixing), 8).value
    return _Unchanged.apply(embeds, mixed(value, mixing))  # type: ignore[no-any-return]  # apply is untyped


def rounded_heads(head_D: Tensor) -> Tensor:
    """Keys or values [..., D] as an 8-bit cache stores them."""
    return _Unchanged.apply(head_D, round_heads(head_D.detach()))  # type: ignore[no-any-return]  # apply is untyped


def foreign_embeddings(embeds: Tensor) -> Tensor:
    """Rows of an embedding [..., I] as the native step reads them back from the head of an imported model."""
    return rounded_embeddings(embeds, mixing_of(embeds.shape[-1]))


class _Unchanged(torch.autograd.Function):
    """Returns the second tensor; its gradient goes to the first."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, rounded: Tensor) -> Tensor:
        return rounded.to(x.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return grads[0], None
