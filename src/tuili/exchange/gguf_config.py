"""Converts the configuration of a dense decoder between GGUF metadata and config.json of a Hugging Face folder.

Settings for which GGUF has no field are stored under Tuili's own keys, which other readers ignore.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tuili.errors import InputError
from tuili.exchange.gguf_header import GgufHeader, Value
from tuili.store import ARCHITECTURES, FAMILIES, DenseShape, RopeScaling, rotary_frequencies

if TYPE_CHECKING:
    from gguf import GGUFWriter

Array = np.ndarray[Any, Any]
EOS_IDS = "tuili.eos_token_ids"
"""All ids that end a text; GGUF itself has a field for only one."""
LLAMA3_FIELDS = ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings")
USUAL_LLAMA3 = {"low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
_SIZES = {
    "hidden_size": "embedding_length",
    "intermediate_size": "feed_forward_length",
    "num_hidden_layers": "block_count",
    "num_attention_heads": "attention.head_count",
    "max_position_embeddings": "context_length",
}
_UNSUPPORTED = {
    "expert_count": "experts",
    "attention.sliding_window": "a sliding window",
    "attention.alibi_bias_max": "positions by ALiBi",
    "attention.clamp_kqv": "clamped queries",
    "logit_scale": "scaled logits",
    "embedding_scale": "scaled embeddings",
    "residual_scale": "scaled residuals",
}
"""Keys whose values, if not zero, change what is computed."""


class Metadata:
    """GGUF metadata with typed access. Raises `InputError` for a value that is missing or of the wrong type."""

    def __init__(self, path: Path, values: Mapping[str, Value]) -> None:
        self.path, self._values = path, values

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def names(self, prefix: str) -> list[str]:
        """The rest of every key that begins with a prefix."""
        return sorted(key.removeprefix(prefix) for key in self._values if key.startswith(prefix))

    def get(self, key: str, kind: type[Any], default: Any = None) -> Any:
        """A value, or the default if there is none; without a default the value is mandatory."""
        value = self._values.get(key, default)
        if value is None:
            raise InputError(f"{self.path} lacks {key!r} in its metadata: it is no complete model")
        allowed = (int, float) if kind is float else (kind,)
        if not isinstance(value, allowed) or (isinstance(value, bool) and kind is not bool):
            raise InputError(
                f"{self.path}: {key!r} in its metadata is {str(value)[:40]!r}, it must be a {kind.__name__}"
            )
        return float(value) if kind is float else value


def read_config(path: Path, header: GgufHeader, rope_factors: Array | None) -> dict[str, Any]:
    """The content of config.json for the model in a file.

    rope_factors: the tensor that scales positions as in Llama 3.1, if the file has it.
    Raises `InputError` for other architectures, and for features that Tuili does not support.
    """
    meta = Metadata(path, header.metadata)
    family = meta.get("general.architecture", str)
    if family not in FAMILIES:
        raise InputError(
            f"{path}: its architecture is {family[:40]!r}, which is not supported: {', '.join(FAMILIES)} are"
        )
    if meta.get("split.count", int, 0) > 1:
        raise InputError(f"{path} is one part of several: join them first, by llama-gguf-split --merge")
    for key, name in _UNSUPPORTED.items():
        if f"{family}.{key}" in meta and meta.get(f"{family}.{key}", float):
            raise InputError(f"{path}: the model uses {name} ({family}.{key}), which is not supported")
    config: dict[str, Any] = {"architectures": [ARCHITECTURES[family]], "model_type": family}
    config |= {name: meta.get(f"{family}.{key}", int) for name, key in _SIZES.items()}
    heads = config["num_attention_heads"]
    config["num_key_value_heads"] = meta.get(f"{family}.attention.head_count_kv", int, heads)
    head_dim = meta.get(f"{family}.attention.key_length", int, config["hidden_size"] // max(heads, 1))
    for key in ("attention.value_length", "rope.dimension_count"):
        if meta.get(f"{family}.{key}", int, head_dim) != head_dim:
            raise InputError(f"{path}: {family}.{key} is not the size of a head, {head_dim}, which is not supported")
    embedding = header.tensors.get("token_embd.weight")
    config |= {
        "head_dim": head_dim,
        "vocab_size": embedding.shape[0] if embedding else 1,
        "hidden_act": "silu",
        "rms_norm_eps": _short(meta.get(f"{family}.attention.layer_norm_rms_epsilon", float)),
        "rope_theta": _short(meta.get(f"{family}.rope.freq_base", float, 10_000.0)),
        "rope_scaling": None,
        "tie_word_embeddings": "output.weight" not in header.tensors,
    }
    if family != "qwen2":
        config["attention_bias"] = "blk.0.attn_q.bias" in header.tensors
    if family == "llama":
        config["mlp_bias"] = "blk.0.ffn_up.bias" in header.tensors
    config["rope_scaling"] = _scaling(meta, family, config, rope_factors)
    ids = {name: f"tokenizer.ggml.{key}_token_id" for name, key in (("bos", "bos"), ("eos", "eos"), ("pad", "padding"))}
    config |= {f"{name}_token_id": meta.get(key, int) for name, key in ids.items() if key in meta}
    ends = list(dict.fromkeys(_end_ids(meta)))
    if ends:
        config["eos_token_id"] = ends[0] if len(ends) == 1 else ends
    return config


def _end_ids(meta: Metadata) -> list[int]:
    if EOS_IDS in meta:
        return [end for end in meta.get(EOS_IDS, list) if isinstance(end, int)]
    keys = [f"tokenizer.ggml.{name}_token_id" for name in ("eos", "eot", "eom")]
    return [meta.get(key, int) for key in keys if key in meta]


def _scaling(meta: Metadata, family: str, config: dict[str, Any], factors: Array | None) -> dict[str, Any] | None:
    kind = meta.get(f"{family}.rope.scaling.type", str, "none")
    if factors is not None:
        if kind != "none":
            raise InputError(f"{meta.path} stretches positions in two ways, by {kind} and by factors: use another file")
        return _llama3(meta, config, factors)
    if kind == "none":
        scale = meta.get(f"{family}.rope.scale_linear", float, 1.0)
        return None if scale in (0, 1) else {"rope_type": "linear", "factor": _short(scale)}
    if kind not in ("linear", "yarn"):
        raise InputError(f"{meta.path}: positions stretched by {kind[:40]!r} are not supported: linear and yarn are")
    scaling = {"rope_type": kind, "factor": _short(meta.get(f"{family}.rope.scaling.factor", float))}
    if kind == "yarn":
        context = meta.get(f"{family}.rope.scaling.original_context_length", int, config["max_position_embeddings"])
        scaling["original_max_position_embeddings"] = context
        for name, key in (("beta_fast", "yarn_beta_fast"), ("beta_slow", "yarn_beta_slow")):
            if f"{family}.rope.scaling.{key}" in meta:
                scaling[name] = _short(meta.get(f"{family}.rope.scaling.{key}", float))
        extra = meta.get(f"{family}.rope.scaling.attn_factor", float, 1.0)
        if extra != 1:  # llama.cpp multiplies it into yarn's own factor
            scaling["attention_factor"] = _short(extra * _yarn_factor(scaling["factor"]))
    return scaling


def _yarn_factor(factor: float) -> float:
    return 1.0 if factor <= 1 else 0.1 * float(np.log(factor)) + 1.0


def _llama3(meta: Metadata, config: dict[str, Any], factors: Array) -> dict[str, Any]:
    """The fields that yield these factors: those named in the file, or else the usual ones of Llama 3."""
    named = {name: meta.get(f"tuili.rope.{name}", float) for name in LLAMA3_FIELDS if f"tuili.rope.{name}" in meta}
    given = {"factor": float(factors.max()), **USUAL_LLAMA3, **named}
    fields: dict[str, Any] = {name: _short(value) for name, value in given.items()}
    fields["original_max_position_embeddings"] = int(fields["original_max_position_embeddings"])
    try:
        scaling = RopeScaling("llama3", **fields)
        made = rope_factors(config["head_dim"], config["rope_theta"], scaling)
        same = made.shape == factors.shape and np.allclose(made, factors, rtol=1e-4)
    except ValueError:
        same = False
    if not same:
        raise InputError(
            f"{meta.path}: rope_freqs.weight stretches positions in another way than Llama 3: use another file"
        )
    return {"rope_type": "llama3", **fields}


def rope_factors(head_dim: int, theta: float, scaling: RopeScaling) -> Array:
    """The factor by which each pair of a head rotates more slowly than without scaling, float32 [D/2]."""
    plain = DenseShape("llama", 1, 1, 1, 1, 1, 1, head_dim, 1, theta, 1e-5)
    scaled = replace(plain, rope_scaling=scaling)
    factors: Array = rotary_frequencies(plain)[0] / rotary_frequencies(scaled)[0]
    return factors


def _short(value: float) -> float:
    """A float32 number as it was originally written: 1e-05, not 9.999999747378752e-06."""
    return float(str(np.float32(value)))


def add_config(writer: GGUFWriter, path: Path, shape: DenseShape) -> None:
    """Write the configuration into a file's metadata. Raises `InputError` if GGUF readers do not support it."""
    if shape.family == "qwen3" and shape.query_bias:
        raise InputError(f"{path}: llama.cpp knows no Qwen3 with attention_bias: export it to hf")
    writer.add_context_length(shape.max_position_embeddings)
    writer.add_embedding_length(shape.hidden_size)
    writer.add_block_count(shape.num_hidden_layers)
    writer.add_feed_forward_length(shape.intermediate_size)
    writer.add_head_count(shape.num_attention_heads)
    writer.add_head_count_kv(shape.num_key_value_heads)
    writer.add_key_length(shape.head_dim)
    writer.add_value_length(shape.head_dim)
    writer.add_layer_norm_rms_eps(shape.rms_norm_eps)
    writer.add_rope_dimension_count(shape.head_dim)
    writer.add_rope_freq_base(shape.rope_theta)
    writer.add_vocab_size(shape.vocab_size)
    scaling = shape.rope_scaling
    if scaling is None:
        return
    if scaling.kind == "llama3":
        for name in LLAMA3_FIELDS:
            writer.add_float32(f"tuili.rope.{name}", float(getattr(scaling, name)))
        return
    from gguf import RopeScalingType

    writer.add_rope_scaling_type(RopeScalingType(scaling.kind))
    writer.add_rope_scaling_factor(scaling.factor)
    if scaling.kind == "yarn":
        if not scaling.truncate:
            raise InputError(f"{path}: llama.cpp knows no yarn without truncate: export it to hf")
        assert scaling.original_max_position_embeddings is not None
        writer.add_rope_scaling_orig_ctx_len(scaling.original_max_position_embeddings)
        writer.add_rope_scaling_yarn_beta_fast(scaling.beta_fast)
        writer.add_rope_scaling_yarn_beta_slow(scaling.beta_slow)
        attention = rotary_frequencies(shape)[1]
        if attention != _yarn_factor(scaling.factor):
            writer.add_rope_scaling_attn_factors(attention / _yarn_factor(scaling.factor))
