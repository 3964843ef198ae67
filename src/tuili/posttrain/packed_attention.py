"""Attention of packed rows in few large products, as an attention function of transformers.

Rows are so short that the whole matrix of scores is small: on a CPU, products and one softmax over it take a third less
time than torch's `scaled_dot_product_attention`, whose kernel goes through a mask block by block.

Dimensions: B rows, T tokens, H heads of queries, K heads of keys and values, D size of a head.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface

from tuili.model import rounded_heads

NAME = "tuili_packed"
HIDDEN = -1e4
"""What is added to the score of a token that is not seen; bfloat16 holds it."""


def attend(
    module: nn.Module, query_BHTD: Tensor, key_BKTD: Tensor, value_BKTD: Tensor, bias_BTT: Tensor, scaling: float,
    **_: Any,
) -> tuple[Tensor, None]:  # fmt: skip
    """The mixtures of values, [B, T, H, D]. bias_BTT: is added to the scores. Where the module `rounds_heads`, keys and
    values are those that a cache of 8 bits keeps."""
    if getattr(module, "rounds_heads", False):
        key_BKTD, value_BKTD = rounded_heads(key_BKTD), rounded_heads(value_BKTD)
    rows, heads, length, size = query_BHTD.shape
    own = key_BKTD.shape[1]
    stacked = (rows * own, heads // own * length)
    bias = bias_BTT[:, None, None].expand(rows, own, heads // own, length, length).reshape(*stacked, length)
    query, key, value = query_BHTD.reshape(*stacked, size), key_BKTD.flatten(0, 1), value_BKTD.flatten(0, 1)
    mixed: Tensor = _Attention.apply(query, key, value, bias, scaling)  # type: ignore[no-untyped-call]
    return mixed.view(rows, heads, length, size).transpose(1, 2), None


class _Attention(torch.autograd.Function):
    """softmax(Q Kᵀ scaling + bias) V for stacks of matrices: queries of heads that share keys are one matrix."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, bias: Tensor, scaling: float) -> Tensor:
        share = torch.softmax(torch.baddbmm(bias, query, key.transpose(1, 2), alpha=scaling), dim=-1)
        ctx.save_for_backward(query, key, value, share)
        ctx.scaling = scaling
        return torch.bmm(share, value)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        query, key, value, share = ctx.saved_tensors
        (grad,) = gradients
        grad_share = torch.bmm(grad, value.transpose(1, 2))
        grad_score = torch._softmax_backward_data(grad_share, share, -1, share.dtype).mul_(ctx.scaling)
        grad_query, grad_key = torch.bmm(grad_score, key), torch.bmm(grad_score.transpose(1, 2), query)
        return grad_query, grad_key, torch.bmm(share.transpose(1, 2), grad), None, None


AttentionInterface.register(NAME, attend)
