"""Attention within packed rows, as an attention function of transformers.

A CPU gets the documents of rows; a GPU, for which few large kernels are better than many small ones, gets a bias for
the scores of whole rows. Rows are so short that their whole score matrix is small: even on a CPU it takes a third less
time than torch's `scaled_dot_product_attention`, whose kernel processes a mask block by block.

Dimensions: B rows, T tokens, H query heads, K key-value heads, D size of a head.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface

from tuili.model import rounded_heads
from tuili.posttrain.document_groups import DocumentAttention, PackedDocuments, mix, mix_backward

NAME = "tuili_packed"


def attend(
    module: nn.Module, query_BHTD: Tensor, key_BKTD: Tensor, value_BKTD: Tensor, seen: Tensor | PackedDocuments,
    scaling: float, **_: Any,
) -> tuple[Tensor, None]:  # fmt: skip
    """The attention outputs, [B, T, H, D]. seen: the documents, or a bias for the scores, [B, T, T]. If the module
    `rounds_heads`, keys and values are rounded as an 8-bit cache stores them."""
    if getattr(module, "rounds_heads", False):
        key_BKTD, value_BKTD = rounded_heads(key_BKTD), rounded_heads(value_BKTD)
    rows, heads, length, size = query_BHTD.shape
    mixed: Tensor
    if isinstance(seen, PackedDocuments):
        flat = (states.transpose(1, 2).flatten(0, 1) for states in (query_BHTD, key_BKTD, value_BKTD))
        mixed = DocumentAttention.apply(*flat, seen, scaling)  # type: ignore[no-untyped-call]
        return mixed.view(rows, length, heads, size), None
    own = key_BKTD.shape[1]
    stacked = (rows * own, heads // own * length)
    bias = seen[:, None, None].expand(rows, own, heads // own, length, length).reshape(*stacked, length)
    query, key, value = query_BHTD.reshape(*stacked, size), key_BKTD.flatten(0, 1), value_BKTD.flatten(0, 1)
    mixed = _RowAttention.apply(query, key, value, bias, scaling)  # type: ignore[no-untyped-call]
    return mixed.view(rows, heads, length, size).transpose(1, 2), None


class _RowAttention(torch.autograd.Function):
    """`mix` with its gradients: queries of heads that share keys are one matrix."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, bias: Tensor, scaling: float) -> Tensor:
        mixed, share = mix(query, key, value, bias, scaling)
        ctx.save_for_backward(query, key, value, share)
        ctx.scaling = scaling
        return mixed

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        query, key, value, share = ctx.saved_tensors
        return *mix_backward(gradients[0], query, key, value, share, ctx.scaling), None, None


AttentionInterface.register(NAME, attend)
