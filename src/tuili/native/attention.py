"""The structures of training/attention_calls.h in ctypes. The header documents their fields."""

from __future__ import annotations

import ctypes

_int, _long, _pointer = ctypes.c_int32, ctypes.c_int64, ctypes.c_void_p


class HeadTensorRecord(ctypes.Structure):
    """`struct HeadTensor`."""

    _fields_ = (("numbers", _pointer), ("row", _long), ("token", _long), ("head", _long))


class AttentionTensorsRecord(ctypes.Structure):
    """`struct AttentionTensors`."""

    _fields_ = tuple((name, HeadTensorRecord) for name in ("query", "gate", "key", "value", "read"))


class AttentionCallRecord(ctypes.Structure):
    """`struct AttentionCall`."""

    _fields_ = (
        ("tensors", AttentionTensorsRecord),
        ("gradients", AttentionTensorsRecord),
        *((name, _pointer) for name in ("sums", "order", "column", "start", "unit", "workspace")),
        ("workspace_bytes", _long),
        ("threads", _pointer),
        *((name, _int) for name in ("rows", "queries", "tokens", "heads", "kv_heads", "head_size")),
        *((name, _int) for name in ("window", "top_units", "bf16", "pad")),
    )
