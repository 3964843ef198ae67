"""Dense decoders of the Llama, Qwen2 and Qwen3 families as the native step reads them.

Their tensors have the names of Hugging Face folders; the names of exits' tensors start with the exit's depth.

Dimensions: D head size, X some tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from tuili.native.records import ExitRecord, LayerRecord, ModelRecord
from tuili.native.rounding import Floats
from tuili.native.sizes import Sizes
from tuili.native.step import HEADS, Pack
from tuili.native.weights import HEAD, Weights, angles, model_record

Ids = NDArray[np.int32] | None


def pack_dense(
    frequency: Floats, factor: float, exits: Mapping[str, Floats], thinking: Ids = None, common: Ids = None
) -> Pack:
    """A function that packs a decoder.

    Args:
        frequency, factor: the frequencies of the rotary embedding [D / 2]; the factor scales cosines and sines.
        exits: the tensors of all exits but the last.
        thinking, common: the tokens [X] that can be chosen while thinking, and those whose logits give the confidence
            of exits; None for all.
    """
    return partial(_pack, frequency, factor, exits, thinking, common)


def _pack(
    frequency: Floats,
    factor: float,
    exits: Mapping[str, Floats],
    thinking: Ids,
    common: Ids,
    sizes: Sizes,
    weights: Weights,
) -> ModelRecord:
    weights.foreign = True
    plain = weights.keep(np.full(sizes.hidden_size, sizes.hidden_size**0.5, np.float32))
    places = [_exit(weights, exits, depth, plain) for depth in sizes.exit_layers[:-1]]
    record = model_record(
        sizes,
        weights,
        [_layer(sizes, weights, index) for index in range(sizes.layers)],
        tied=HEAD not in weights.tensors,
        exits=weights.records(places) if places else None,
        taps=weights.keep(np.ones(sizes.hidden_size, np.float32)),
        angles=weights.keep(angles(sizes.max_position_embeddings, frequency, factor)),
    )
    if thinking is not None:
        record.heads[HEADS.index("thinking")] = weights.head(thinking)
    record.common = record.heads[0].matrix if common is None else weights.head(common).matrix
    return record


def _layer(sizes: Sizes, weights: Weights, index: int) -> LayerRecord:
    name = f"model.layers.{index}"
    attention, mlp, scale = f"{name}.self_attn", f"{name}.mlp", sizes.head_dim**-0.5
    inputs = [f"{attention}.{part}_proj" for part in "qkv"]
    if sizes.head_norms:
        query, key = weights.norm(f"{attention}.q_norm.weight", scale), weights.norm(f"{attention}.k_norm.weight")
    else:
        query, key = (np.full(sizes.head_dim, factor, np.float32) for factor in (scale, 1))
    gains = [np.tile(query, sizes.num_attention_heads), np.tile(key, sizes.num_key_value_heads)]
    gate_up = [f"{mlp}.gate_proj", f"{mlp}.up_proj"]
    return LayerRecord(
        attention_norm=weights.keep(weights.norm(f"{name}.input_layernorm.weight")),
        head_gain=weights.keep(np.concatenate(gains)),
        norm=weights.keep(weights.norm(f"{name}.post_attention_layernorm.weight")),
        input=weights.matrix(*(f"{part}.weight" for part in inputs)),
        output=weights.matrix(f"{attention}.o_proj.weight"),
        gate_up=weights.matrix(*(f"{part}.weight" for part in gate_up)),
        down=weights.matrix(f"{mlp}.down_proj.weight"),
        input_bias=weights.bias(*(f"{part}.bias" for part in inputs)),
        output_bias=weights.bias(f"{attention}.o_proj.bias"),
        gate_up_bias=weights.bias(*(f"{part}.bias" for part in gate_up)),
        down_bias=weights.bias(f"{mlp}.down_proj.bias"),
        set=index,
        own=True,
    )


def _exit(weights: Weights, exits: Mapping[str, Floats], depth: int, plain: int) -> ExitRecord:
    """The parts of an exit, which stay in fp32 because they are small and make decisions."""
    adapter = (weights.packed(exits[f"{depth}.{part}.weight"], "fp32") for part in ("down", "up"))
    names = (f"{depth}.confidence.{layer}.{part}" for layer in (0, 2) for part in ("weight", "bias"))
    confidence = [np.ascontiguousarray(exits[name], np.float32) for name in names]
    return ExitRecord(plain, *adapter, *map(weights.keep, confidence), channels=len(confidence[0]))
