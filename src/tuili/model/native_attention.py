"""Layered attention for training, by the native library, as a torch operation with a gradient.

Its slow twins are `attend` and `attend_joint` in `attention.py`; `reach.py` says what each query may read.

Dimensions: B rows, Q queries, S tokens, U units, H query heads, K key/value heads, D head size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from tuili.model.attention import KeyValues
from tuili.model.kernels import output_dtype
from tuili.model.native_ops import NUMBERS, calls
from tuili.model.reach import Reach
from tuili.native.attention import AttentionCallRecord, AttentionTensorsRecord, HeadTensorRecord


def takes_attention(embeds_BTM: Tensor) -> bool:
    """Whether `attend_native` works for tokens with these embeddings: on a CPU, in fp32 or bf16."""
    return embeds_BTM.is_cpu and output_dtype(embeds_BTM) in NUMBERS


def attend_native(query_BHQD: Tensor, kv: KeyValues, gate_BQH3: Tensor, reach: Reach) -> Tensor:
    """What each query reads [B, Q, H, D]; zeros for a query that reads nothing.

    The library computes the means of units from the tokens' keys and values.
    """
    read_BQHD: Tensor
    read_BQHD, _ = _attend(
        *(query_BHQD, gate_BQH3, kv.key_BKSD, kv.value_BKSD),
        *(reach.order_BQ, reach.column_BQ, reach.start_BS, reach.unit_BS, reach.window, reach.top_units),
    )
    return read_BQHD


@torch.library.custom_op("tuili::layered_attention", mutates_args=(), device_types="cpu")
def _attend(
    query_BHQD: Tensor,
    gate_BQH3: Tensor,
    key_BKSD: Tensor,
    value_BKSD: Tensor,
    order_BQ: Tensor,
    column_BQ: Tensor,
    start_BS: Tensor,
    unit_BS: Tensor,
    window: int,
    top_units: int,
) -> tuple[Tensor, Tensor]:
    """What the queries read [B, Q, H, D], and four numbers for each [B, Q, H, 4] that the backward pass needs."""
    B, H, Q, D = query_BHQD.shape
    read_BQHD, sums_BQH4 = query_BHQD.new_empty(B, Q, H, D), torch.empty(B, Q, H, 4)
    inputs, places = [query_BHQD, gate_BQH3, key_BKSD, value_BKSD], [order_BQ, column_BQ, start_BS, unit_BS]
    call = _call(inputs, read_BQHD, sums_BQH4, places, window, top_units)
    calls().run("attention", call, backward=False)
    return read_BQHD, sums_BQH4


@torch.library.custom_op("tuili::layered_attention_backward", mutates_args=(), device_types="cpu")
def _backward(
    d_read_BQHD: Tensor,
    sums_BQH4: Tensor,
    query_BHQD: Tensor,
    gate_BQH3: Tensor,
    key_BKSD: Tensor,
    value_BKSD: Tensor,
    order_BQ: Tensor,
    column_BQ: Tensor,
    start_BS: Tensor,
    unit_BS: Tensor,
    window: int,
    top_units: int,
) -> list[Tensor]:
    """The gradients of the first four inputs of `_attend`."""
    inputs, places = [query_BHQD, gate_BQH3, key_BKSD, value_BKSD], [order_BQ, column_BQ, start_BS, unit_BS]
    d_read_BQHD, gradients = d_read_BQHD.contiguous(), _gradients(inputs)
    call = _call(inputs, d_read_BQHD, sums_BQH4, places, window, top_units)
    call.gradients = _tensors(gradients, d_read_BQHD)
    calls().run("attention", call, backward=True)
    return gradients


@_attend.register_fake
def _(query_BHQD: Tensor, *_: Any) -> tuple[Tensor, Tensor]:
    B, H, Q, D = query_BHQD.shape
    return query_BHQD.new_empty(B, Q, H, D), query_BHQD.new_empty(B, Q, H, 4, dtype=torch.float32)


@_backward.register_fake
def _(_read: Tensor, _sums: Tensor, *inputs: Any) -> list[Tensor]:
    return _gradients(inputs[:4])


def _gradients(inputs: Sequence[Tensor]) -> list[Tensor]:
    """Memory for the gradients; the heads of a token are contiguous, as the preceding layers need them."""
    query_BHQD, gate_BQH3, key_BKSD, value_BKSD = inputs
    d_query, d_key, d_value = (
        tensor.new_empty(tensor.transpose(1, 2).shape).transpose(1, 2) for tensor in (query_BHQD, key_BKSD, value_BKSD)
    )
    return [d_query, gate_BQH3.new_empty(gate_BQH3.shape), d_key, d_value]


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    *tensors, ctx.window, ctx.top_units = inputs
    ctx.save_for_backward(output[1], *tensors)
    ctx.mark_non_differentiable(output[1])


def _differentiate(ctx: Any, d_read_BQHD: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
    return (*_backward(d_read_BQHD, *ctx.saved_tensors, ctx.window, ctx.top_units), *(None,) * 6)


_attend.register_autograd(_differentiate, setup_context=_save)


def _call(
    inputs: Sequence[Tensor],
    read_BQHD: Tensor,
    sums_BQH4: Tensor,
    places: Sequence[Tensor],
    window: int,
    top_units: int,
) -> AttentionCallRecord:
    query_BHQD, _, key_BKSD, _ = inputs
    (B, H, Q, D), (_, K, S, _) = query_BHQD.shape, key_BKSD.shape
    assert all(place.dtype == torch.int32 and place.is_contiguous() for place in places)
    assert sums_BQH4.is_contiguous() and D % 2 == 0
    return AttentionCallRecord(
        tensors=_tensors(inputs, read_BQHD),
        sums=sums_BQH4.data_ptr(),
        **dict(zip(("order", "column", "start", "unit"), (place.data_ptr() for place in places), strict=True)),
        rows=B,
        queries=Q,
        tokens=S,
        heads=H,
        kv_heads=K,
        head_size=D,
        window=window,
        top_units=top_units,
        bf16=query_BHQD.dtype == torch.bfloat16,
    )


def _tensors(inputs: Sequence[Tensor], read_BQHD: Tensor) -> AttentionTensorsRecord:
    query_BHQD, gate_BQH3, key_BKSD, value_BKSD = inputs
    tensors = query_BHQD.transpose(1, 2), gate_BQH3, key_BKSD.transpose(1, 2), value_BKSD.transpose(1, 2), read_BQHD
    assert all(tensor.dtype == query_BHQD.dtype and tensor.stride(3) == 1 for tensor in tensors)
    assert query_BHQD.dtype in NUMBERS
    return AttentionTensorsRecord(*(HeadTensorRecord(t.data_ptr(), *t.stride()[:3]) for t in tensors))
