"""Training by the native library: its calls as ctypes has them, with one pool of threads for all.

What the calls do stands in `source/training/calls.h`. Where the memory comes from is left to the caller.
"""

from __future__ import annotations

import ctypes
from enum import IntEnum
from functools import cache
from typing import Any

from tuili.native.library import Library, Unavailable, function, load

_int, _long, _pointer = ctypes.c_int32, ctypes.c_int64, ctypes.c_void_p


class ExpertsRecord(ctypes.Structure):
    """`struct ExpertsCall`: addresses of tensors, and sizes."""

    _fields_ = (
        *((name, _pointer) for name in ("x", "expert", "weight", "gate_up", "down", "out", "gate_up_sorted")),
        *((name, _pointer) for name in ("sorting", "dout", "dx", "dweight", "dgate_up", "ddown", "workspace")),
        ("workspace_bytes", _long),
        ("threads", _pointer),
        *((name, _int) for name in ("tokens", "choices", "experts", "hidden", "size", "bf16")),
    )


class Chain(IntEnum):
    """`enum class Chain`: what is done with each row."""

    NORM = 0
    NORM_BACKWARD = 1
    GATE = 2
    GATE_BACKWARD = 3
    LOSS = 4
    LOSS_BACKWARD = 5


ROWS_OF_A_PIECE = 64
"""Of so many rows, the gradients of a gain are added up together."""


class RowsRecord(ctypes.Structure):
    """`struct RowsCall`: addresses of tensors, and sizes."""

    _fields_ = (
        *((name, _pointer) for name in ("x", "dout", "out", "dx", "gain", "cos", "sin", "target", "sums", "threads")),
        ("number", ctypes.c_float),
        *((name, _int) for name in ("rows", "size", "heads", "bf16", "out_bf16")),
    )


class Training:
    """The calls of the library. They give the interpreter's lock back, and may come from one thread at a time."""

    def __init__(self, library: Library, threads: int) -> None:
        self.pool: int = function(library.short, "tuili_threads", _pointer, _int)(threads)
        self.experts_bytes = function(library.short, "tuili_experts_bytes", _long, _pointer, _int)
        self.experts_forward = _call(library, "tuili_experts_forward")
        self.experts_backward = _call(library, "tuili_experts_backward")
        self.attention_bytes = function(library.short, "tuili_attention_bytes", _long, _pointer)
        self.attention_forward = _call(library, "tuili_attention_forward")
        self.attention_backward = _call(library, "tuili_attention_backward")
        self.rows = function(library.long, "tuili_rows", None, _pointer, _int)


def _call(library: Library, name: str) -> Any:
    return function(library.long, name, None, _pointer)


@cache
def training(threads: int) -> Training | Unavailable:
    """The calls with a pool of so many threads, or the reason why there are none."""
    library = load()
    return library if isinstance(library, Unavailable) else Training(library, threads)
