"""Tuili's own models as the native step reads them: a trunk, and layers of experts that share keys and values."""

from __future__ import annotations

import numpy as np

from tuili.native.records import LayerRecord, ModelRecord
from tuili.native.sizes import Sizes
from tuili.native.weights import Weights, model_record, rotary_angles


def pack_own(sizes: Sizes, weights: Weights) -> ModelRecord:
    """The record of a model, whose tensors are named as in its folder."""
    shared = "model.shared_key_value"
    back = weights.numbers("model.convolution.weight")
    taps = np.concatenate([back[::-1], np.ones_like(back, shape=(1, sizes.hidden_size))])
    trunk = sizes.exit_layers[0]
    return model_record(
        sizes,
        weights,
        [_layer(sizes, weights, index, index < trunk) for index in range(sizes.layers)],
        taps=weights.keep(taps * np.float32(sizes.hidden_size**0.5)),
        shared_norm=weights.keep(weights.norm("model.shared_norm.weight")),
        shared_head_norm=weights.keep(np.tile(weights.norm(f"{shared}.k_norm.weight"), sizes.num_key_value_heads)),
        shared=weights.matrix(f"{shared}.k_proj.weight", f"{shared}.v_proj.weight"),
        angles=weights.keep(rotary_angles(sizes.max_position_embeddings, sizes.head_dim, sizes.rope_theta)),
    )


def _layer(sizes: Sizes, weights: Weights, index: int, is_trunk: bool) -> LayerRecord:
    """The record of a layer; the fields of the other kind of layer stay empty."""
    trunk = sizes.exit_layers[0]
    name = f"model.trunk.{index}" if is_trunk else f"model.reasoning.{index - trunk}"
    attention = f"{name}.attention"
    inputs = [f"{attention}.q_proj.weight"]
    gains = [np.tile(weights.norm(f"{attention}.q_norm.weight", sizes.head_dim**-0.5), sizes.num_attention_heads)]
    if is_trunk:
        inputs += [f"{name}.key_value.k_proj.weight", f"{name}.key_value.v_proj.weight"]
        gains.append(np.tile(weights.norm(f"{name}.key_value.k_norm.weight"), sizes.num_key_value_heads))
    gates = f"{attention}.gate_proj.weight"
    if sizes.layered and not weights.whole:
        inputs.append(gates)
    layer = LayerRecord(
        attention_norm=weights.keep(weights.norm(f"{name}.attention_norm.weight")),
        head_gain=weights.keep(np.concatenate(gains)),
        input=weights.matrix(*inputs),
        output=weights.matrix(f"{attention}.o_proj.weight"),
        set=min(index, trunk),
        own=is_trunk,
    )
    if sizes.layered and weights.whole:  # gates decide, so models trained in whole numbers keep them in fp32
        layer.gates = weights.packed(weights.numbers(gates), "fp32")
    if is_trunk:
        layer.norm = weights.keep(weights.norm(f"{name}.mlp_norm.weight"))
        layer.gate_up = weights.matrix(f"{name}.mlp.gate_up_proj.weight")
        layer.down = weights.matrix(f"{name}.mlp.down_proj.weight")
    else:
        layer.norm = weights.keep(weights.norm(f"{name}.moe_norm.weight"))
        layer.router = weights.packed(weights.numbers(f"{name}.moe.router.weight"), "fp32")
        layer.router_bias = weights.keep(weights.numbers(f"{name}.moe.router.balance_bias"))
        layer.expert_gate_up = weights.matrices(f"{name}.moe.experts.gate_up_proj")
        layer.expert_down = weights.matrices(f"{name}.moe.experts.down_proj")
    return layer
