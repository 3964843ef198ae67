"""Calling a bare product of the native library, and its twins in numpy."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import numpy as np
import pytest

from tuili.native import FORMATS, Library, Matrix, load
from tuili.native.library import function


class ProductCall(ctypes.Structure):
    """`struct ProductCall` of table.h."""

    _fields_ = (
        ("matrix", ctypes.c_void_p), ("x", ctypes.c_void_p), ("x_stride", ctypes.c_int64), ("rows", ctypes.c_void_p),
        ("places", ctypes.c_void_p), ("y", ctypes.c_void_p), ("y_stride", ctypes.c_int64),
        ("workspace", ctypes.c_void_p), ("workspace_bytes", ctypes.c_int64), ("threads", ctypes.c_void_p),
        ("prepared", ctypes.c_int32), ("count", ctypes.c_int32),
    )  # fmt: skip


class MultiplyCall(ctypes.Structure):
    """`struct MultiplyCall` of training/calls.h."""

    _fields_ = (
        ("left", ctypes.c_void_p), ("right", ctypes.c_void_p), ("out", ctypes.c_void_p), ("rows", ctypes.c_void_p),
        ("left_stride", ctypes.c_int64), ("right_stride", ctypes.c_int64), ("out_stride", ctypes.c_int64),
        ("workspace", ctypes.c_void_p), ("workspace_bytes", ctypes.c_int64),
        ("form", ctypes.c_int32), ("count", ctypes.c_int32), ("outputs", ctypes.c_int32), ("inputs", ctypes.c_int32),
        ("bf16", ctypes.c_int32), ("right_fp32", ctypes.c_int32), ("out_fp32", ctypes.c_int32),
        ("accumulate", ctypes.c_int32),
    )  # fmt: skip


def multiply(
    form: int,
    left: np.ndarray,
    right: np.ndarray,
    out: np.ndarray,
    rows: np.ndarray | None = None,
    *,
    accumulate: bool = False,
) -> tuple[MultiplyCall, tuple[object, ...]]:
    """A product of training into `out`, and what must live while it is made again. bf16 numbers are uint16."""
    (count, outputs), down = out.shape, len(left) if rows is None else len(rows)
    inputs = down if form == 2 else left.shape[1]
    strides = (array.strides[0] // array.itemsize for array in (left, right, out))
    call = MultiplyCall(
        left.ctypes.data, right.ctypes.data, out.ctypes.data, None if rows is None else rows.ctypes.data, *strides,
        None, 0, form, count, outputs, inputs,
        left.dtype == np.uint16, right.dtype == np.float32, out.dtype == np.float32, accumulate,
    )  # fmt: skip
    needed = function(library().short, "tuili_multiply_bytes", ctypes.c_int64, ctypes.c_void_p)
    workspace = np.empty(needed(ctypes.addressof(call)), np.uint8)
    call.workspace, call.workspace_bytes = workspace.ctypes.data, workspace.nbytes
    function(library().short, "tuili_multiply", None, ctypes.c_void_p)(ctypes.addressof(call))
    return call, (workspace, left, right, out, rows)


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
        number = FORMATS.index(matrix.format)
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
