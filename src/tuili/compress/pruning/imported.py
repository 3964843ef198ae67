"""Pruning an imported dense model: the scores of its parts, and the smaller model that keeps the best.

Dimensions: B rows, P tokens in front of every row, F neurons, K heads of keys and values.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from copy import deepcopy
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM

from tuili.compress.moments import InputMoments, squares
from tuili.compress.network import Network
from tuili.compress.pruning.kept import Kept, Scores, rows_of
from tuili.compress.pruning.recipe import PruneConfig
from tuili.compress.pruning.sizes import Sizes
from tuili.data import Block
from tuili.silence import quiet_transformers


def blank_dense(model_config: Any, sizes: Sizes, dtype: torch.dtype) -> nn.Module:
    """A model of these sizes in place of those of a configuration of transformers, its weights new."""
    config = deepcopy(model_config)
    size = _head_size(config)
    group = config.num_attention_heads // config.num_key_value_heads
    config.intermediate_size, config.head_dim = sizes.feed_forward, size
    config.num_attention_heads, config.num_key_value_heads = group * sizes.heads, sizes.heads
    with quiet_transformers():
        return cast(nn.Module, AutoModelForCausalLM.from_config(config, dtype=dtype))


def dense_scores(model: Any, network: Network, prefix: int, config: PruneConfig, blocks: Iterable[Block]) -> Scores:
    """The scores of all parts. network: reads the blocks, which is done only where a score is taken on them."""
    layers = model.model.layers
    outputs = [InputMoments(layer.self_attn.o_proj, squares) for layer in layers]
    inner = [InputMoments(layer.mlp.down_proj, squares) for layer in layers]
    if config.by == "magnitude":
        return Scores(
            [_neuron_squares(layer.mlp) for layer in layers],
            [_head_squares(layer.self_attn, model) for layer in layers],
        )
    with ExitStack() as stack, torch.inference_mode():
        for moments in (*outputs, *inner):
            stack.enter_context(moments.watching())
        for block in blocks:
            real_BT = torch.nn.functional.pad(block.documents_BT >= 0, (prefix, 0))
            for moments in (*outputs, *inner):
                moments.counts = partial(_all_of, real_BT)
            network.read(block, 0)
    heads = model.config.num_key_value_heads
    return Scores([one.added for one in inner], [one.added.view(heads, -1).sum(1) for one in outputs])


def cut_dense(model: Any, kept: Kept, sizes: Sizes) -> nn.Module:
    """The model with what is kept alone; its weights are copies."""
    config = model.config
    size, group = _head_size(config), config.num_attention_heads // config.num_key_value_heads
    tensors = dict(model.state_dict())
    for number, (kept_F, kept_K) in enumerate(zip(kept.neurons, kept.heads, strict=True)):
        queries, keys = rows_of(kept_K, group * size), rows_of(kept_K, size)
        rows = {"mlp.gate_proj": kept_F, "mlp.up_proj": kept_F}
        rows |= {"self_attn.q_proj": queries, "self_attn.k_proj": keys, "self_attn.v_proj": keys}
        for name, index in rows.items():
            for kind in ("weight", "bias"):
                if (whole := f"model.layers.{number}.{name}.{kind}") in tensors:
                    tensors[whole] = tensors[whole][index]
        for name, index in {"mlp.down_proj": kept_F, "self_attn.o_proj": queries}.items():
            whole = f"model.layers.{number}.{name}.weight"
            tensors[whole] = tensors[whole][:, index]
    smaller = blank_dense(config, sizes, model.dtype)
    smaller.load_state_dict(tensors)
    return smaller


def _all_of(real_BT: Tensor, columns: int) -> Tensor:
    return real_BT


def _head_size(config: Any) -> int:
    return int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)


def _neuron_squares(mlp: Any) -> Tensor:
    """The sum of the squares of all weights of a neuron, [F]."""
    rows = sum(linear.weight.detach().double().square().sum(1) for linear in (mlp.gate_proj, mlp.up_proj))
    return cast(Tensor, rows + mlp.down_proj.weight.detach().double().square().sum(0))


def _head_squares(attention: Any, model: Any) -> Tensor:
    """The sum of the squares of the weights of each head of keys and values, and of the queries that read it, [K].

    Where queries and keys are normed, the size of theirs has no effect, and they are not among them.
    """
    names = ("v",) if hasattr(attention, "q_norm") else ("q", "k", "v")
    matrices = [getattr(attention, f"{name}_proj").weight for name in names] + [attention.o_proj.weight.T]
    heads = model.config.num_key_value_heads
    return cast(Tensor, sum(matrix.detach().double().square().sum(1).view(heads, -1).sum(1) for matrix in matrices))
