"""What GGUF calls the tensors of a dense decoder, and in which order it keeps the rows of queries and keys.

llama.cpp turns neighbouring rows of a Llama's heads against each other, Hugging Face the halves of a head: their rows
of queries and keys stand in different orders. Qwen's are the same in both.
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
"""The tensor by which a GGUF file stretches positions as Llama 3.1 does; Hugging Face has fields in config.json."""


def gguf_name(name: str) -> str:
    """The name in GGUF of a tensor with this name in a Hugging Face folder."""
    stem, _, ending = name.rpartition(".")
    if stem in _AROUND:
        return f"{_AROUND[stem]}.{ending}"
    number, _, inner = stem.removeprefix("model.layers.").partition(".")
    return f"blk.{number}.{_IN_LAYER[inner]}.{ending}"


def to_gguf_rows(name: str, array: Array, shape: DenseShape) -> Array:
    """A tensor with this Hugging Face name in the order of rows that GGUF wants."""
    heads = _rotated_heads(name, shape)
    if not heads:
        return array
    halves = array.reshape(heads, 2, shape.head_dim // 2, *array.shape[1:])
    return np.ascontiguousarray(halves.swapaxes(1, 2)).reshape(array.shape)


def from_gguf_rows(name: str, array: Array, shape: DenseShape) -> Array:
    """A tensor with this Hugging Face name as its folder wants it, from the order of GGUF."""
    heads = _rotated_heads(name, shape)
    if not heads:
        return array
    pairs = array.reshape(heads, shape.head_dim // 2, 2, *array.shape[1:])
    return np.ascontiguousarray(pairs.swapaxes(1, 2)).reshape(array.shape)


def _rotated_heads(name: str, shape: DenseShape) -> int:
    """Over how many heads the rows of a tensor stand in another order; 0 where they do not."""
    if shape.family != "llama":
        return 0
    if ".q_proj." in name:
        return shape.num_attention_heads
    return shape.num_key_value_heads if ".k_proj." in name else 0
