"""Layered attention of training in the native library: its structures, and its two calls over tensors in memory."""

from __future__ import annotations

import ctypes
import weakref
from threading import Lock

import numpy as np

from tuili.native.library import Library, function

_int, _long, _pointer = ctypes.c_int32, ctypes.c_int64, ctypes.c_void_p


class HeadTensorRecord(ctypes.Structure):
    """`struct HeadTensor`."""

    _fields_ = (("numbers", _pointer), ("row", _long), ("token", _long), ("head", _long))


class AttentionTensorsRecord(ctypes.Structure):
    """`struct AttentionTensors`."""

    _fields_ = tuple((name, HeadTensorRecord) for name in ("query", "gate", "key", "value", "read"))


class AttentionCallRecord(ctypes.Structure):
    """`struct AttentionCall`; `NativeAttention` fills in workspace and threads."""

    _fields_ = (
        ("tensors", AttentionTensorsRecord),
        ("gradients", AttentionTensorsRecord),
        *((name, _pointer) for name in ("sums", "order", "column", "start", "unit", "workspace")),
        ("workspace_bytes", _long),
        ("threads", _pointer),
        *((name, _int) for name in ("rows", "queries", "tokens", "heads", "kv_heads", "head_size")),
        *((name, _int) for name in ("window", "top_units", "is_bf16", "pad")),
    )


class NativeAttention:
    """Both passes of layered attention, by so many threads. Calls may come from any thread, one after the other."""

    def __init__(self, library: Library, threads: int) -> None:
        self._threads = function(library.short, "tuili_threads", _pointer, _int)(threads)
        ending = weakref.finalize(self, function(library.short, "tuili_threads_end", None, _pointer), self._threads)
        ending.atexit = False  # a thread that is in a call then still needs the pool
        self._bytes = function(library.short, "tuili_attention_bytes", _long, _pointer)
        self._passes = [
            function(library.long, f"tuili_attention_{direction}", None, _pointer)
            for direction in ("forward", "backward")
        ]
        self._workspace, self._lock = np.empty(0, np.uint8), Lock()

    def forward(self, call: AttentionCallRecord) -> None:
        """Write what the queries of `call.order` read, and the sums that the backward pass needs."""
        self._run(0, call)

    def backward(self, call: AttentionCallRecord) -> None:
        """Write the gradients of all that took part, where `call.order` has a query that takes part."""
        self._run(1, call)

    def _run(self, direction: int, call: AttentionCallRecord) -> None:
        with self._lock:
            call.threads = self._threads
            needed = self._bytes(ctypes.addressof(call))
            if self._workspace.nbytes < needed:
                self._workspace = np.empty(needed, np.uint8)
            call.workspace, call.workspace_bytes = self._workspace.ctypes.data, self._workspace.nbytes
            self._passes[direction](ctypes.addressof(call))
