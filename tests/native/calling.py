"""Calling a bare product of the native library, and its twins in numpy."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import numpy as np
import pytest

from tuili.native import Library, Matrix, load


class ProductCall(ctypes.Structure):
    """`struct ProductCall` of table.h."""

    _fields_ = (
        ("matrix", ctypes.c_void_p), ("x", ctypes.c_void_p), ("x_stride", ctypes.c_int64), ("rows", ctypes.c_void_p),
        ("places", ctypes.c_void_p), ("y", ctypes.c_void_p), ("y_stride", ctypes.c_int64),
        ("workspace", ctypes.c_void_p), ("workspace_bytes", ctypes.c_int64), ("threads", ctypes.c_void_p),
        ("prepared", ctypes.c_int32), ("count", ctypes.c_int32),
    )  # fmt: skip


def library() -> Library:
    """The library, or the test is skipped where it cannot be built."""
    loaded = load()
    if not isinstance(loaded, Library):
        pytest.skip(f"no native library: {loaded}")
    return loaded


class Products:
    """Products with one library and a number of threads."""

    def __init__(self, threads: int = 1) -> None:
        self._library = library().short
        self._library.tuili_threads.restype = ctypes.c_void_p
        self._library.tuili_threads_end.argtypes = [ctypes.c_void_p]
        self._library.tuili_prepared_bytes.restype = ctypes.c_int64
        self._threads = self._library.tuili_threads(threads)

    def __call__(
        self,
        matrix: Matrix,
        x_RK: np.ndarray,
        rows: Sequence[int] | None = None,
        places: Sequence[int] | None = None,
        out_RN: np.ndarray | None = None,
    ) -> np.ndarray:
        """y_RN, with NaN where the product wrote nothing."""
        chosen, placed = (None if some is None else np.array(some, np.int32) for some in (rows, places))
        count = len(x_RK) if chosen is None else len(chosen)
        if out_RN is None:
            height = count if placed is None else int(placed.max(initial=0)) + 1
            out_RN = np.full((height, matrix.outputs), np.nan, np.float32)
        call, _alive = self.prepare(matrix, x_RK, chosen, placed, out_RN, count)
        self.run(call)
        return out_RN

    def prepare(self, matrix, x_RK, rows, places, y_RN, count) -> tuple[ProductCall, tuple[object, ...]]:
        """A call, and what must live while it is made."""
        number = matrix.record.format
        bytes_needed = self._library.tuili_prepared_bytes(number, len(x_RK), matrix.inputs)
        workspace, record = np.empty(bytes_needed, np.uint8), matrix.record
        place = lambda array: None if array is None else array.ctypes.data  # noqa: E731
        call = ProductCall(
            ctypes.addressof(record), place(x_RK), x_RK.strides[0] // 4, place(rows), place(places), place(y_RN),
            y_RN.shape[1], place(workspace), bytes_needed, self._threads, len(x_RK), count,
        )  # fmt: skip
        return call, (record, workspace, x_RK, rows, places, y_RN)

    def run(self, call: ProductCall) -> None:
        self._library.tuili_product(ctypes.byref(call))

    def end(self) -> None:
        self._library.tuili_threads_end(self._threads)
