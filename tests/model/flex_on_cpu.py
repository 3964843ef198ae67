"""Flex attention that has gradients on a CPU: torch's own plain form of it, without the refusal before it.

Torch refuses them there because its compiler cannot generate the code.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask


def differentiable(query: Tensor, key: Tensor, value: Tensor, block_mask: BlockMask, enable_gqa: bool) -> Tensor:
    """The call behind `flex_attention`, with keys and values for groups of query heads."""
    assert enable_gqa and block_mask.shape[-2:] == (query.shape[2], key.shape[2])
    attend = torch.ops.higher_order.flex_attention
    scale, options = query.shape[-1] ** -0.5, {"OUTPUT_LOGSUMEXP": True}
    read, *_ = attend(query, key, value, unchanged, block_mask.as_tuple(), scale, options)
    return read


def unchanged(score: Tensor, row: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
    return score
