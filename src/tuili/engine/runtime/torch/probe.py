"""What a model's experts and attention heads do with a text that it has decoded, for monitoring.

The text goes through the model's own layers once more, at full depth, so that decoding does not measure anything. No
decoding step may run meanwhile, because it uses the same routers.

Dimensions: T tokens, H heads, D head size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from tuili.engine.runtime.runner import Observation
from tuili.model import LayeredAttention, TuiliForCausalLM

ACTIVE_SHARE = 0.1
"""A head is active for a token if its output's norm is at least this share of the largest head's in the layer."""
MAX_OBSERVED_TOKENS = 256
"""Only so many last tokens of a text are observed."""


@torch.inference_mode()
def observe(model: TuiliForCausalLM, ids: Sequence[int]) -> Observation:
    """Run the last tokens of a text through the model and record experts and heads."""
    shares: list[float] = []

    def record_heads(layer: nn.Module, arguments: tuple[Any, ...]) -> None:
        shares.append(active_share(arguments[0], heads))

    heads = model.config.num_attention_heads
    attentions = [module for module in model.modules() if isinstance(module, LayeredAttention)]
    hooks = [attention.o_proj.register_forward_pre_hook(record_heads) for attention in attentions]
    try:
        with model.record_routing() as record:
            model(
                torch.tensor([list(ids[-MAX_OBSERVED_TOKENS:])], device=model.model.embed_tokens.weight.device),
                use_cache=False,
            )
    finally:
        for hook in hooks:
            hook.remove()
    return Observation(tuple(tuple(layer.all_E.tolist()) for layer in record.layers), tuple(shares))


def active_share(output_BTX: Tensor, heads: int) -> float:
    """The share of active heads in their outputs [..., H * D], mean over tokens."""
    size_H = output_BTX.unflatten(-1, (heads, -1)).float().norm(dim=-1)
    active_H = size_H >= (ACTIVE_SHARE * size_H.amax(-1, keepdim=True)).clamp(min=1e-9)
    return float(active_H.float().mean())
