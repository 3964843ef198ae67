"""The structures of step.h in ctypes. step.h documents their fields."""

from __future__ import annotations

import ctypes
from typing import Any

from tuili.native.panels import MatrixRecord

Fields = tuple[tuple[str, Any], ...]


def _of(kind: Any, *names: str) -> Fields:
    return tuple((name, kind) for name in names)


_int, _long, _pointer = ctypes.c_int32, ctypes.c_int64, ctypes.c_void_p


class SizesRecord(ctypes.Structure):
    """`struct Sizes`, with the names of config.json."""

    _fields_ = (
        *_of(_int, "vocab_size", "hidden_size", "intermediate_size", "layers", "num_groups", "head_norms"),
        *_of(_int, "num_attention_heads", "num_key_value_heads", "head_dim", "max_position_embeddings"),
        *_of(_int, "convolution_width", "layered", "window", "top_units"),
        *_of(_int, "num_experts", "num_experts_per_tok", "moe_intermediate_size", "cache"),
        ("rms_norm_eps", ctypes.c_float),
        ("pad", _int),
    )


class LayerRecord(ctypes.Structure):
    """`struct Layer`."""

    _fields_ = (
        *_of(_pointer, "attention_norm", "head_gain", "norm"),
        *_of(MatrixRecord, "input", "output", "gates", "gate_up", "down", "router"),
        *_of(_pointer, "router_bias", "expert_gate_up", "expert_down"),
        *_of(_pointer, "input_bias", "output_bias", "gate_up_bias", "down_bias"),
        *_of(_int, "set", "own"),
    )


class ExitRecord(ctypes.Structure):
    """`struct Exit`."""

    _fields_ = (
        ("plain", _pointer),
        *_of(MatrixRecord, "down", "up"),
        *_of(_pointer, "inner", "inner_bias", "outer", "outer_bias"),
        ("channels", ctypes.c_int64),
    )


class HeadRecord(ctypes.Structure):
    """`struct Head`."""

    _fields_ = (("matrix", MatrixRecord), ("ids", _pointer))


class ModelRecord(ctypes.Structure):
    """`struct Model`."""

    _fields_ = (
        ("sizes", SizesRecord),
        *_of(_pointer, "layers", "depths", "exits", "embedding"),
        ("embedding_is_bf16", _long),
        *_of(_pointer, "taps", "shared_norm", "shared_head_norm"),
        ("shared", MatrixRecord),
        ("final_norm", _pointer),
        ("heads", HeadRecord * 2),
        ("common", MatrixRecord),
        *_of(_pointer, "angles", "expert_tokens", "tokens", "active_share", "threads"),
    )


class SlotRecord(ctypes.Structure):
    """`struct Slot`."""

    _fields_ = (*_of(_pointer, "token_kv", "token_scale", "unit_kv", "unit_start"), *_of(_int, "tokens", "units"))


class SlotsRecord(ctypes.Structure):
    """`struct Slots`."""

    _fields_ = (("slots", _pointer), *_of(_int, "count", "pad"))


class BatchRecord(ctypes.Structure):
    """`struct Batch`."""

    _fields_ = (
        *_of(_pointer, "model", "table", "hidden", "logits", "best", "top_prob", "going", "workspace"),
        ("workspace_bytes", _long),
    )


class VerifierLayerRecord(ctypes.Structure):
    """`struct VerifierLayer`."""

    _fields_ = (
        *_of(_pointer, "attention_norm", "norm", "up_bias", "down_bias"),
        *_of(MatrixRecord, "query_key_value", "read", "up", "down"),
    )


class VerifierRecord(ctypes.Structure):
    """`struct Verifier`."""

    _fields_ = (
        *_of(_int, "channels", "heads", "layers", "pad"),
        *_of(MatrixRecord, "states", "scalars_in", "scalars_out", "output"),
        *_of(_pointer, "states_bias", "scalars_in_bias", "scalars_out_bias", "output_bias", "norm", "blocks"),
    )


class ResponseRecord(ctypes.Structure):
    """`struct Response`."""

    _fields_ = (
        *_of(_pointer, "full", "trunk", "ids", "angles", "logits"),
        *_of(_int, "tokens", "pad"),
        ("workspace", _pointer),
        ("workspace_bytes", _long),
    )
