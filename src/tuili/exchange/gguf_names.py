"""GGUF's names for the tensors of a dense decoder, and its order of the rows of queries and keys.

For Llama models, llama.cpp rotates pairs of neighbouring rows of a head, and Hugging Face pairs its two halves:
therefore, their rows of queries and keys are ordered differently. For Qwen models, both use the same order.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tuili.store import DenseShape

Array = np.ndarray[Any, Any]
_AROUND = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
_IN_LAYER = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
ROPE_FACTORS = "rope_freqs.weight"
"""The tensor that scales positions as in Llama 3.1 in a GGUF file; Hugging Face has fields in config.json."""


def gguf_name(name: str) -> str:
    """The GGUF name of a tensor with this Hugging Face name."""
    stem, _, ending = name.rpartition(".")
    if stem in _AROUND:
        return f"{_AROUND[stem]}.{ending}"
    number, _, inner = stem.removeprefix("model.layers.").partition(".")
    return f"blk.{number}.{_IN_LAYER[inner]}.{ending}"


def to_gguf_rows(name: str, array: Array, shape: DenseShape) -> Array:
    """A tensor with this Hugging Face name, with its rows in GGUF's order."""
    heads = _rotated_heads(name, shape)
    if not heads:
        return array
    halves = array.reshape(heads, 2, shape.head_dim // 2, *array.shape[1:])
    return np.ascontiguousarray(halves.swapaxes(1, 2)).reshape(array.shape)


def from_gguf_rows(name: str, array: Array, shape: DenseShape) -> Array:
    """A tensor with this Hugging Face name, with its rows converted from GGUF's order."""
    heads = _rotated_heads(name, shape)
    if not heads:
        return array
    pairs = array.reshape(heads, shape.head_dim // 2, 2, *array.shape[1:])
    return np.ascontiguousarray(pairs.swapaxes(1, 2)).reshape(array.shape)


def _rotated_heads(name: str, shape: DenseShape) -> int:
    """The number of heads of a tensor whose rows are ordered differently; 0 if they are not."""
    if shape.family != "llama":
        return 0
    if ".q_proj." in name:
        return shape.num_attention_heads
    return shape.num_key_value_heads if ".k_proj." in name else 0
