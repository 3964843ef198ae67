"""A dense transformers decoder that computes and learns in integers, as the native step computes imported models.

Its weights stay in the numeric type of its folder: the native step, when it reads the folder, rounds them bit for bit
to what they were rounded to here.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

from torch import Tensor, nn

from tuili.errors import InputError
from tuili.model import LowRankLinear, foreign_embeddings, foreign_linear
from tuili.posttrain.backbone import Backbone
from tuili.store import Quantization


def round_backbone(backbone: Backbone, quantization: Quantization | None = None) -> None:
    """Make all matrices of a decoder, and an embedding that is also its head, compute in integers from now on.

    quantization: which integers, 8 bits by default; a head always keeps 8. Keys and values are rounded where
    `packed_attention` attends.

    Raises `InputError` for a layer that is neither a matrix nor a norm: it is unknown how the native step rounds it.
    """
    model, numbers = backbone.model, quantization or Quantization()
    for layer in backbone.layers:
        layer.self_attn.rounds_heads = numbers.cache is not None
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear):
            bits = 8 if module is model.lm_head else numbers.bits(module.in_features)
            module.forward = partial(_linear, module, bits)  # type: ignore[method-assign]  # on purpose
        elif isinstance(module, nn.Embedding):
            if model.lm_head.weight is module.weight:
                module.forward = partial(_embedding, module)  # type: ignore[method-assign]
        elif isinstance(module, LowRankLinear):
            pass  # its factors are linear layers, and its bias stays in floating point
        elif [*module.parameters(recurse=False)] and "norm" not in name:
            raise InputError(f"{name} is a {type(module).__name__}, which cannot be computed in 8 bits")


def _linear(linear: nn.Linear, bits: Literal[4, 8], x: Tensor) -> Tensor:
    out = foreign_linear(x, linear.weight, bits)
    return out if linear.bias is None else out + linear.bias


def _embedding(embedding: nn.Embedding, ids: Tensor) -> Tensor:
    looked_up = nn.functional.embedding(ids, embedding.weight, embedding.padding_idx)
    return foreign_embeddings(looked_up)
