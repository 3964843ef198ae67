"""Training by the native library: its calls as ctypes has them, with one pool of threads and one workspace for all.

What the calls do stands in `source/training/calls.h`. Where the memory of their tensors comes from is left to the
caller.
"""

from __future__ import annotations

import ctypes
from enum import IntEnum
from functools import cache
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuili.native.library import Library, Unavailable, function, load
from tuili.native.memory import aligned

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


class RouteRecord(ctypes.Structure):
    """`struct RouteCall`: addresses of tensors, and sizes."""

    _fields_ = (
        *((name, _pointer) for name in ("x", "matrix", "bias", "allowed", "explores", "random", "logits", "expert")),
        *((name, _pointer) for name in ("weight", "real", "load", "dlogits", "dweight", "dx", "dmatrix", "workspace")),
        ("workspace_bytes", _long),
        ("threads", _pointer),
        *((name, _int) for name in ("tokens", "choices", "experts", "hidden", "bf16", "pad")),
    )


class Chain(IntEnum):
    """`enum class Chain`: what is done with each row."""

    NORM = 0
    GATE = 1
    LOSS = 2
    CONVOLUTION = 3


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
    """The calls of the library, one at a time. They give the interpreter's lock back.

    The workspace stays from call to call: memory that is new to a process costs more than many a call.
    """

    def __init__(self, library: Library, threads: int) -> None:
        self.pool: int = function(library.short, "tuili_threads", _pointer, _int)(threads)
        self._lock = Lock()
        self._bytes, self._calls = {}, {}
        for name in ("experts", "route", "attention"):
            self._bytes[name] = function(library.short, f"tuili_{name}_bytes", _long, _pointer)
            for backward, direction in enumerate(("forward", "backward")):
                self._calls[name, bool(backward)] = function(library.long, f"tuili_{name}_{direction}", None, _pointer)
        self._rows = function(library.long, "tuili_rows", None, _pointer, _int)
        self._workspace: NDArray[np.uint8] = aligned(1, np.uint8)

    def workspace_bytes(self, name: str, record: Any) -> int:
        """What a call needs in either direction: `experts`, `route` or `attention`. The record gets the pool."""
        record.threads = self.pool
        needed: int = self._bytes[name](ctypes.addressof(record))
        return needed

    def run(self, name: str, record: Any, *, backward: bool) -> None:
        """Such a call in one direction."""
        with self._lock:
            needed = self.workspace_bytes(name, record)
            if self._workspace.nbytes < needed:
                self._workspace = aligned(needed, np.uint8)
            record.workspace, record.workspace_bytes = self._workspace.ctypes.data, self._workspace.nbytes
            self._calls[name, backward](ctypes.addressof(record))

    def run_rows(self, record: RowsRecord, chain: Chain) -> None:
        """A chain over the rows of a tensor, backward where the record says so."""
        record.threads = self.pool
        with self._lock:
            self._rows(ctypes.addressof(record), chain)


@cache
def training(threads: int) -> Training | Unavailable:
    """The calls with a pool of so many threads, or the reason why there are none."""
    library = load()
    return library if isinstance(library, Unavailable) else Training(library, threads)
