"""Pruning of an imported dense model: scores its parts, and makes the smaller model that keeps the best.

Dimensions: F neurons, K heads of keys and values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn

from tuili.compress.dense import new_dense, read_dense
from tuili.compress.moments import InputMoments, Moment, products, squares
from tuili.compress.network import Network
from tuili.compress.pruning.kept import Kept, Scores
from tuili.compress.pruning.recipe import PruneConfig
from tuili.compress.pruning.reconstruction import Spared, inputs_of, reconstruct_layers
from tuili.compress.pruning.sizes import Sizes
from tuili.compress.trial import Part, sampled
from tuili.compress.watch import Watch
from tuili.data import Block


def blank_dense(model_config: Any, sizes: Sizes, dtype: torch.dtype) -> nn.Module:
    """A model with new weights, from a transformers configuration with its sizes replaced by these."""
    group = model_config.num_attention_heads // model_config.num_key_value_heads
    return new_dense(
        model_config, dtype, intermediate_size=sizes.feed_forward, head_dim=_head_size(model_config),
        num_attention_heads=group * sizes.heads, num_key_value_heads=sizes.heads,
    )  # fmt: skip


def dense_scores(model: Any, network: Network, prefix: int, config: PruneConfig, blocks: Iterable[Block]) -> Scores:
    """The scores of all parts. network: reads the blocks, only if a score needs them."""
    layers = model.model.layers
    if config.by == "magnitude":
        return Scores(
            [_neuron_squares(layer.mlp) for layer in layers],
            [_head_squares(layer.self_attn, model) for layer in layers],
        )
    outputs, inner = _read(model, network, prefix, squares, squares, blocks)
    heads = model.config.num_key_value_heads
    return Scores([one.added for one in inner], [one.added.view(heads, -1).sum(1) for one in outputs])


def reconstruct_dense(
    model: Any, network: Network, prefix: int, sizes: Sizes, blocks: Iterable[Block], watch: Watch
) -> Kept:
    """What stays, with the weights after neurons and heads changed to compensate for what is removed."""
    neurons, heads = _spared(model, network, prefix, sizes, blocks)
    return Kept(neurons.found(watch), heads.found(watch))


def dense_parts(
    model: Any, network: Network, prefix: int, config: PruneConfig, sizes: Sizes, block: Block, reconstructs: bool
) -> Iterator[Part]:
    """The time trial of either way of choosing, with the samples of one block. The model may be changed."""
    if not reconstructs:
        if config.by != "magnitude":
            yield sampled(config.samples, block, partial(dense_scores, model, network, prefix, config))
        return
    found = list[Spared]()
    yield sampled(config.samples, block, lambda blocks: found.extend(_spared(model, network, prefix, sizes, blocks)))
    yield from (each.part for each in found)


def _spared(model: Any, network: Network, prefix: int, sizes: Sizes, blocks: Iterable[Block]) -> Sequence[Spared]:
    """The neurons and heads to reconstruct, with moments from samples."""
    heads, neurons = model.config.num_key_value_heads, model.config.intermediate_size
    of_heads = products if sizes.heads < heads else squares
    of_neurons = products if sizes.feed_forward < neurons else squares
    outputs, inner = _read(model, network, prefix, of_heads, of_neurons, blocks)
    return (
        Spared("neurons", inner, lambda one: reconstruct_layers([one], neurons, sizes.feed_forward)),
        Spared("heads", outputs, lambda one: reconstruct_layers([one], heads, sizes.heads)),
    )


def _read(
    model: Any, network: Network, prefix: int, of_heads: Moment, of_neurons: Moment, blocks: Iterable[Block]
) -> tuple[list[InputMoments], list[InputMoments]]:
    """Moments of the outputs of the heads and the neurons of each layer, on samples."""
    layers = model.model.layers
    outputs = [InputMoments(layer.self_attn.o_proj, of_heads) for layer in layers]
    inner = [InputMoments(layer.mlp.down_proj, of_neurons) for layer in layers]
    read_dense(network, prefix, [*outputs, *inner], blocks)
    return outputs, inner


def cut_dense(model: Any, kept: Kept, sizes: Sizes) -> nn.Module:
    """The model reduced to what is kept; its weights are copies."""
    config = model.config
    size, group = _head_size(config), config.num_attention_heads // config.num_key_value_heads
    tensors = dict(model.state_dict())
    for number, (kept_F, kept_K) in enumerate(zip(kept.neurons, kept.heads, strict=True)):
        queries, keys = inputs_of(kept_K, group * size), inputs_of(kept_K, size)
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


def _head_size(config: Any) -> int:
    return int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)


def _neuron_squares(mlp: Any) -> Tensor:
    """The sum of squares of all weights of each neuron, [F]."""
    rows = sum(linear.weight.detach().double().square().sum(1) for linear in (mlp.gate_proj, mlp.up_proj))
    return cast(Tensor, rows + mlp.down_proj.weight.detach().double().square().sum(0)).cpu()


def _head_squares(attention: Any, model: Any) -> Tensor:
    """The sum of squares of the weights of each key-value head and of the queries that read it, [K].

    Query and key weights are excluded if queries and keys are normalised, because their scale then has no effect.
    """
    names = ("v",) if hasattr(attention, "q_norm") else ("q", "k", "v")
    matrices = [getattr(attention, f"{name}_proj").weight for name in names] + [attention.o_proj.weight.T]
    heads = model.config.num_key_value_heads
    summed = sum(matrix.detach().double().square().sum(1).view(heads, -1).sum(1) for matrix in matrices)
    return cast(Tensor, summed).cpu()
