"""Calling the bare products of `training/blocks.h`, which are compiled for that alone."""

from __future__ import annotations

import ctypes
import platform
import subprocess
import tempfile
from functools import cache
from hashlib import sha256
from pathlib import Path

import numpy as np

from tests.native.calling import library
from tuili.native.build import FLAGS, SOURCE, UNITS, cache_folder, find_compiler, key


@cache
def compiled() -> ctypes.CDLL:
    """The products with the instruction set of this machine's library. As that, they are kept until sources change."""
    flags = UNITS.get(platform.machine(), {}).get(library().instruction_set, ())
    compiler, source = find_compiler(), Path(__file__).with_name("products.cpp")
    assert compiler
    told = f"{library().path.name} {compiler} {flags} {source.read_text()}"
    made = cache_folder() / "tests" / f"products-{key()}-{sha256(told.encode()).hexdigest()[:16]}.so"
    if not made.exists():
        made.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=made.parent) as folder:
            part = Path(folder, made.name)
            command = [compiler, *FLAGS, *flags, f"-I{SOURCE}", "-shared", str(source), "-o", str(part)]
            subprocess.run(command, check=True, capture_output=True)
            part.replace(made)
    return ctypes.CDLL(str(made))


class MultiplyCall(ctypes.Structure):
    """`struct MultiplyCall` of products.cpp."""

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
) -> None:
    """A product of training into `out`. bf16 numbers are uint16."""
    (count, outputs), down = out.shape, len(left) if rows is None else len(rows)
    inputs = down if form == 2 else left.shape[1]
    strides = (array.strides[0] // array.itemsize for array in (left, right, out))
    call = MultiplyCall(
        left.ctypes.data, right.ctypes.data, out.ctypes.data, None if rows is None else rows.ctypes.data, *strides,
        None, 0, form, count, outputs, inputs,
        left.dtype == np.uint16, right.dtype == np.float32, out.dtype == np.float32, accumulate,
    )  # fmt: skip
    built = compiled()
    workspace = np.empty(built.multiply_workspace(ctypes.byref(call)), np.uint8)
    call.workspace, call.workspace_bytes = workspace.ctypes.data, workspace.nbytes
    built.multiply_numbers(ctypes.byref(call))
