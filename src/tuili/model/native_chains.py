"""Chains of small operations in the native library: each runs in one pass over memory, and has a gradient.

The functions have the names and signatures of their twins in `kernels`, and replace them while a model trains with the
library. They are plain autograd functions: dispatching a registered operator takes longer than some of these passes.

Dimensions: B rows, T tokens, W distances, H heads, D head size or size of a norm, M hidden size, N tokens with a
loss, V vocabulary.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from tuili.model.native_ops import NUMBERS, calls
from tuili.native.training import ROWS_OF_A_PIECE, Chain, RowsRecord


def rms_norm(x: Tensor, weight: Tensor, eps: float, dtype: torch.dtype) -> Tensor:
    """`kernels.rms_norm`."""
    return _Norm.apply(x.contiguous(), weight, None, None, eps, dtype)  # type: ignore[no-any-return]  # apply is untyped


def norm_and_rotate(x_BTHD: Tensor, weight_D: Tensor, cos_BTD: Tensor, sin_BTD: Tensor, eps: float) -> Tensor:
    """`kernels.norm_and_rotate`. The result [B, H, T, D] has the memory layout of the input."""
    angles = (cos_BTD.contiguous(), sin_BTD.contiguous())
    turned_BTHD: Tensor = _Norm.apply(x_BTHD.contiguous(), weight_D, *angles, eps, x_BTHD.dtype)
    return turned_BTHD.transpose(1, 2)


def gated_silu(gate_up: Tensor) -> Tensor:
    """`kernels.gated_silu`."""
    return _Gate.apply(gate_up.contiguous())  # type: ignore[no-any-return]  # apply is untyped


def convolve(embeds_BTM: Tensor, weight_WM: Tensor, reach_BT: Tensor) -> Tensor:
    """`kernels.convolve`."""
    assert embeds_BTM.dtype is weight_WM.dtype is torch.float32 and reach_BT.dtype is torch.int64
    return _Convolution.apply(embeds_BTM.contiguous(), weight_WM, reach_BT.contiguous())  # type: ignore[no-any-return]


def token_loss(logits_NV: Tensor, target_N: Tensor) -> tuple[Tensor, Tensor]:
    """`kernels.token_loss`."""
    loss, right_N = _Loss.apply(logits_NV.contiguous(), target_N.contiguous())
    return loss, right_N


class _Norm(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, gain: Tensor, cos: Tensor | None, sin: Tensor | None, eps: float, dtype: torch.dtype
    ) -> Tensor:
        assert all(tensor is None or tensor.dtype is torch.float32 for tensor in (gain, cos, sin))
        ctx.save_for_backward(x, gain, cos, sin)
        ctx.eps, ctx.dtype = eps, dtype
        out = torch.empty(x.shape, dtype=dtype)
        _run(Chain.NORM, x, out_dtype=dtype, number=eps, out=out, gain=gain, cos=cos, sin=sin)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dout: Tensor) -> tuple[Tensor | None, ...]:
        x, gain, cos, sin = ctx.saved_tensors
        dx = torch.empty_like(x)
        pieces = -(-(x.numel() // x.shape[-1]) // ROWS_OF_A_PIECE)
        sums = torch.zeros(max(1, pieces), x.shape[-1])
        tensors = {"dout": dout.contiguous(), "dx": dx, "gain": gain, "cos": cos, "sin": sin, "sums": sums}
        _run(Chain.NORM, x, out_dtype=ctx.dtype, number=ctx.eps, **tensors)
        return dx, sums[0].clone(), None, None, None, None


class _Gate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gate_up: Tensor) -> Tensor:
        ctx.save_for_backward(gate_up)
        out = gate_up.new_empty(*gate_up.shape[:-1], gate_up.shape[-1] // 2)
        _run(Chain.GATE, gate_up, size=out.shape[-1], out=out)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dout: Tensor) -> Tensor:
        (gate_up,) = ctx.saved_tensors
        dx = torch.empty_like(gate_up)
        _run(Chain.GATE, gate_up, size=dout.shape[-1], dout=dout.contiguous(), dx=dx)
        return dx


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, embeds_BTM: Tensor, weight_WM: Tensor, reach_BT: Tensor) -> Tensor:
        ctx.save_for_backward(embeds_BTM, weight_WM, reach_BT)
        out = torch.empty_like(embeds_BTM)
        _run(Chain.CONVOLUTION, embeds_BTM, heads=len(weight_WM), out=out, gain=weight_WM, target=reach_BT)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dout_BTM: Tensor) -> tuple[Tensor, Tensor, None]:
        embeds_BTM, weight_WM, reach_BT = ctx.saved_tensors
        pieces = -(-reach_BT.numel() // ROWS_OF_A_PIECE)
        dx, sums = torch.empty_like(embeds_BTM), torch.zeros(max(1, pieces), *weight_WM.shape)
        tensors = {"dout": dout_BTM.contiguous(), "dx": dx, "gain": weight_WM, "target": reach_BT, "sums": sums}
        _run(Chain.CONVOLUTION, embeds_BTM, heads=len(weight_WM), **tensors)
        return dx, sums[0].clone(), None


class _Loss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits_NV: Tensor, target_N: Tensor) -> tuple[Tensor, Tensor]:
        assert target_N.dtype is torch.int64
        sums_N3 = torch.empty(len(logits_NV), 3)
        _run(Chain.LOSS, logits_NV, target=target_N, sums=sums_N3)
        ctx.save_for_backward(logits_NV, target_N, sums_N3)
        _, loss_N, right_N = sums_N3.unbind(1)
        right_N = right_N.clone()
        ctx.mark_non_differentiable(right_N)
        return loss_N.mean(), right_N

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dloss: Tensor, _: Tensor) -> tuple[Tensor, None]:
        logits_NV, target_N, sums_N3 = ctx.saved_tensors
        dlogits_NV = torch.empty_like(logits_NV)
        share = float(dloss) / max(1, len(logits_NV))
        _run(Chain.LOSS, logits_NV, number=share, target=target_N, sums=sums_N3, dx=dlogits_NV)
        return dlogits_NV, None


def _run(
    chain: Chain,
    x: Tensor,
    *,
    size: int | None = None,
    heads: int | None = None,
    number: float = 0.0,
    out_dtype: torch.dtype | None = None,
    **tensors: Tensor | None,
) -> None:
    """Call the library for the rows of x along its last dimension; a gated unit's row has twice `size` numbers."""
    assert all(tensor.is_contiguous() and tensor.is_cpu for tensor in tensors.values() if tensor is not None)
    assert x.dtype in NUMBERS and (out_dtype is None or out_dtype in NUMBERS)
    record = RowsRecord(
        x=x.data_ptr(),
        number=number,
        rows=x.numel() // x.shape[-1],
        size=size or x.shape[-1],
        heads=heads if heads is not None else x.shape[-2] if x.ndim > 2 else 1,
        bf16=x.dtype is torch.bfloat16,
        out_bf16=out_dtype is torch.bfloat16,
        **{name: tensor.data_ptr() for name, tensor in tensors.items() if tensor is not None},
    )
    calls().run_rows(record, chain)
