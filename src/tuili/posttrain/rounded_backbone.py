"""A dense decoder of transformers that computes in 8 bits, as the native step computes imported models, and learns so.

Its weights stay in the numbers of its folder: what the native step rounds them to when it reads the folder is, to the
bit, what they were rounded to here.
"""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from tuili.errors import InputError
from tuili.model import LowRankLinear, foreign_embeddings, foreign_linear
from tuili.posttrain.backbone import Backbone


def round_backbone(backbone: Backbone) -> None:
    """Let all matrices of a decoder, and an embedding that is its head, compute in 8 bits from now on.

    Raises `InputError` for a layer that is neither a matrix nor a norm: it is not known how the native step rounds it.
    """
    model = backbone.model
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear):
            module.forward = partial(_linear, module)  # type: ignore[method-assign]  # on purpose
        elif isinstance(module, nn.Embedding):
            if model.lm_head.weight is module.weight:
                module.forward = partial(_embedding, module)  # type: ignore[method-assign]
        elif isinstance(module, LowRankLinear):
            pass  # its factors are linear layers, and its bias stays in full numbers
        elif [*module.parameters(recurse=False)] and "norm" not in name:
            raise InputError(f"{name} is a {type(module).__name__}, which cannot be computed in 8 bits")


def _linear(linear: nn.Linear, x: Tensor) -> Tensor:
    out = foreign_linear(x, linear.weight)
    return out if linear.bias is None else out + linear.bias


def _embedding(embedding: nn.Embedding, ids: Tensor) -> Tensor:
    looked_up = nn.functional.embedding(ids, embedding.weight, embedding.padding_idx)
    return foreign_embeddings(looked_up)
