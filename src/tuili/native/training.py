"""Training with the native library: its calls in ctypes, which all share one thread pool and one workspace.

`source/training/calls.h` documents the calls. The caller provides the memory of their tensors.
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
    """`enum class Chain`: the operation on each row."""

    NORM = 0
    GATE = 1
    LOSS = 2
    CONVOLUTION = 3


ROWS_OF_A_PIECE = 64
"""The number of rows whose gain gradients are summed together."""


class RowsRecord(ctypes.Structure):
    """`struct RowsCall`: addresses of tensors, and sizes."""

    _fields_ = (
        *((name, _pointer) for name in ("x", "dout", "out", "dx", "gain", "cos", "sin", "target", "sums", "threads")),
        ("number", ctypes.c_float),
        *((name, _int) for name in ("rows", "size", "heads", "bf16", "out_bf16")),
    )


class Training:
    """The calls of the library, one at a time. Calls release the interpreter's lock.

    The workspace is reused from call to call: memory that is new to a process costs more than many calls.
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
        """The workspace for `experts`, `route` or `attention` in either direction. Also sets the record's pool."""
        record.threads = self.pool
        needed: int = self._bytes[name](ctypes.addressof(record))
        return needed

    def run(self, name: str, record: Any, *, backward: bool) -> None:
        """Run such a call in one direction."""
        with self._lock:
            needed = self.workspace_bytes(name, record)
            if self._workspace.nbytes < needed:
                self._workspace = aligned(needed, np.uint8)
            record.workspace, record.workspace_bytes = self._workspace.ctypes.data, self._workspace.nbytes
            self._calls[name, backward](ctypes.addressof(record))

    def run_rows(self, record: RowsRecord, chain: Chain) -> None:
        """Run a chain over the rows of a tensor, backward if the record says so."""
        record.threads = self.pool
        with self._lock:
            self._rows(ctypes.addressof(record), chain)


@cache
def training(threads: int) -> Training | Unavailable:
    """The calls with a pool of this many threads, or the reason why the library is unavailable."""
    library = load()
    return library if isinstance(library, Unavailable) else Training(library, threads)
