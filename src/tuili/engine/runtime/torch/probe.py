"""What a model's experts and attention heads do with a text that it has just written, for whoever watches it.

The text goes through the model's own layers once more, at full depth, and nothing is computed for it while it is
written. It must not run beside the engine, whose weights and routers these are.

Dimensions: T tokens, H heads, D head size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tuili.model import TuiliForCausalLM
from tuili.model.layers import LayeredAttention

ACTIVE = 0.1
"""A head is active for a token if what it reads is at least this share of what the layer's largest head reads."""
LONGEST = 256
"""Tokens that are looked at, at most."""


@dataclass(frozen=True)
class Observed:
    """expert_tokens: for each reasoning layer how many tokens took each expert. active_heads: for each layer, trunk
    first, the share of heads that were active, mean over tokens.
    """

    expert_tokens: tuple[tuple[int, ...], ...]
    active_heads: tuple[float, ...]


@torch.inference_mode()
def observe(model: TuiliForCausalLM, ids: Sequence[int]) -> Observed:
    """Look at the last tokens of a text."""
    shares: list[float] = []

    def look(layer: nn.Module, arguments: tuple[Any, ...]) -> None:
        shares.append(active_share(arguments[0], heads))

    heads = model.config.num_attention_heads
    attentions = [module for module in model.modules() if isinstance(module, LayeredAttention)]
    hooks = [attention.o_proj.register_forward_pre_hook(look) for attention in attentions]
    try:
        with model.record_routing() as record:
            model(torch.tensor([list(ids[-LONGEST:])], device=model.model.embed_tokens.weight.device), use_cache=False)
    finally:
        for hook in hooks:
            hook.remove()
    return Observed(tuple(tuple(layer.all_E.tolist()) for layer in record.layers), tuple(shares))


def active_share(read_BTX: Tensor, heads: int) -> float:
    """The share of heads that are active in what they read [..., H * D], mean over tokens."""
    size_H = read_BTX.unflatten(-1, (heads, -1)).float().norm(dim=-1)
    active_H = size_H >= (ACTIVE * size_H.amax(-1, keepdim=True)).clamp(min=1e-9)
    return float(active_H.float().mean())
