"""Weights as the native products read them: panels of 64 outputs, see docs/native.md. They are packed with numpy.

N: outputs, K: inputs of a matrix.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from tuili.errors import InputError
from tuili.native.memory import Scalar, Take, aligned

NumberFormat = Literal["fp32", "bf16", "int8", "int4"]
FORMATS: tuple[NumberFormat, ...] = get_args(NumberFormat)
"""In the order of `enum class Format`."""

PANEL = 64
PANEL_UNIT = 16
"""The last panel of a matrix is padded to a multiple of it, in outputs."""
INT4_GROUP = 32
LEAST_MIXED, MOST_MIXED = 16, 64

Floats = npt.NDArray[np.float32]


class MatrixRecord(ctypes.Structure):
    """`struct Matrix` of matrix.h."""

    _fields_ = (
        ("panels", ctypes.c_void_p), ("scale_N", ctypes.c_void_p), ("sum_N", ctypes.c_void_p),
        ("outputs", ctypes.c_int32), ("inputs", ctypes.c_int32), ("format", ctypes.c_int32), ("mixing", ctypes.c_int32),
    )  # fmt: skip


@dataclass(frozen=True)
class Matrix:
    """A packed matrix. `record` points into the arrays, which must live as long as it is in use."""

    format: NumberFormat
    outputs: int
    inputs: int
    panels: npt.NDArray[np.uint8]
    scale_N: Floats | None
    sum_N: npt.NDArray[np.int32] | None
    mixing: int = 0
    """Inputs of a block that is mixed before they are rounded to int8; 0: none."""

    @property
    def record(self) -> MatrixRecord:
        """The structure that C functions read."""
        scale, total = (None if array is None else array.ctypes.data for array in (self.scale_N, self.sum_N))
        return MatrixRecord(
            self.panels.ctypes.data, scale, total, self.outputs, self.inputs, FORMATS.index(self.format), self.mixing
        )

    @property
    def nbytes(self) -> int:
        """Bytes that one product reads."""
        return sum(array.nbytes for array in (self.panels, self.scale_N, self.sum_N) if array is not None)


def pack(weight_NK: Floats, number_format: NumberFormat, take: Take = aligned, *, mixed: bool = False) -> Matrix:
    """Pack weights into memory of `take`. Where int4 is asked and the inputs are no multiple of 32, the matrix is int8.

    mixed: let a product in int8 mix its inputs before it rounds them, where their number allows it. In a model that was
    not trained for int8, single inputs are much larger than the others: without mixing, these round badly.

    Raises `InputError` where a weight is not finite, or too large for the format.
    """
    weight_NK = np.ascontiguousarray(weight_NK, np.float32)
    outputs, inputs = weight_NK.shape
    if number_format == "int4" and inputs % INT4_GROUP:
        number_format = "int8"
    if not np.isfinite(weight_NK).all():
        raise InputError(f"a matrix of {outputs} x {inputs} has weights that are not finite: it cannot be packed")
    scale_N, sum_N, mixing = None, None, mixing_of(inputs) if mixed and number_format == "int8" else 0
    if mixing:
        weight_NK = _mix(weight_NK, mixing)
    match number_format:
        case "fp32":
            words_NS = weight_NK.view(np.uint32)
        case "bf16":
            words_NS = _words(bf16_of(weight_NK), 2)
        case "int8":
            scale_N = np.maximum(np.abs(weight_NK).max(axis=1, initial=0), np.float32(1e-30)) / np.float32(127)
            number_NK = np.rint(weight_NK / scale_N[:, None]).astype(np.int8)
            sum_N = _padded_copy(number_NK.sum(axis=1, dtype=np.int32), take)
            scale_N = _padded_copy(scale_N, take)
            words_NS = _words(number_NK, 4)
        case "int4":
            return Matrix("int4", outputs, inputs, _pack_int4(weight_NK, take), None, None)
    panels = take(_padded(outputs, PANEL_UNIT) * words_NS.shape[1], np.uint32)
    _fill_panels(panels, words_NS)
    return Matrix(number_format, outputs, inputs, panels.view(np.uint8), scale_N, sum_N, mixing)


def bf16_of(number: Floats) -> npt.NDArray[np.uint16]:
    """The nearest bf16 of each number, as its bits; the even one of two that are equally near."""
    bits = np.ascontiguousarray(number, np.float32).view(np.uint32)
    return ((bits + (bits >> 16 & 1) + np.uint32(0x7FFF)) >> 16).astype(np.uint16)


def mixing_of(inputs: int) -> int:
    """The inputs of a block that is mixed: the largest power of two that divides them all, from 16 to 64, or 0."""
    block = min(inputs & -inputs, MOST_MIXED)
    return block if block >= LEAST_MIXED else 0


def _mix(weight_NK: Floats, block: int) -> Floats:
    """The Walsh-Hadamard transform of each block of inputs over its size: inputs are transformed without that."""
    mixed_NK, step = weight_NK / np.float32(block), 1
    while step < block:
        pair_X2S = mixed_NK.reshape(-1, 2, step)
        low_XS, high_XS = pair_X2S[:, 0], pair_X2S[:, 1]
        low_XS[...], high_XS[...] = low_XS + high_XS, low_XS - high_XS
        step *= 2
    return mixed_NK


def _fill_panels(panels: npt.NDArray[np.uint32], words_NS: npt.NDArray[np.uint32]) -> None:
    """Put the words of an output's inputs, S steps, into panels: [panel][step][output of the panel]."""
    outputs, steps = words_NS.shape
    whole = outputs // PANEL
    first = panels[: whole * PANEL * steps].reshape(whole, steps, PANEL)
    first[...] = words_NS[: whole * PANEL].reshape(whole, PANEL, steps).swapaxes(1, 2)
    if rest := outputs - whole * PANEL:
        last = panels[whole * PANEL * steps :].reshape(steps, _padded(rest, PANEL_UNIT))
        last[:, :rest] = words_NS[whole * PANEL :].T


def _words(number_NK: npt.NDArray[np.generic], per_word: int) -> npt.NDArray[np.uint32]:
    """Numbers next to one another as words of 32 bits; zeros fill the last word."""
    missing = -number_NK.shape[1] % per_word
    if missing:
        number_NK = np.pad(number_NK, ((0, 0), (0, missing)))
    return np.ascontiguousarray(number_NK).view(np.uint32)


def _pack_int4(weight_NK: Floats, take: Take) -> npt.NDArray[np.uint8]:
    """Groups of 32 inputs: 4 words of 8 nibbles an output, then the outputs' scales in fp16.

    The number of largest size stands for -8, so that all 16 values are used.
    """
    outputs, inputs = weight_NK.shape
    groups = inputs // INT4_GROUP
    group_NGI = weight_NK.reshape(outputs, groups, INT4_GROUP)
    largest_NG1 = np.take_along_axis(group_NGI, np.abs(group_NGI).argmax(axis=2, keepdims=True), axis=2)
    if np.abs(largest_NG1).max(initial=0) > 8 * float(np.finfo(np.float16).max):
        raise InputError(f"a matrix of {outputs} x {inputs} has weights that are too large for int4: pack it as int8")
    scale_NG = (largest_NG1[:, :, 0] / -8).astype(np.float16)
    divisor_NG = np.where(scale_NG == 0, np.float32(1), scale_NG.astype(np.float32))
    number_NGI = np.clip(np.rint(group_NGI / divisor_NG[:, :, None]) + 8, 0, 15).astype(np.uint8)
    # byte b of word w: input 8 w + b in its low half, 8 w + 4 + b in its high half
    half_NGWHB = number_NGI.reshape(outputs, groups, 4, 2, 4)
    byte_NGWB = half_NGWHB[:, :, :, 0] | half_NGWHB[:, :, :, 1] << 4
    words_NGW = np.ascontiguousarray(byte_NGWB).view(np.uint32)[..., 0]
    panels = take(_padded(outputs, PANEL_UNIT) * groups * (INT4_GROUP // 2 + 2), np.uint8)
    for begin in range(0, outputs, PANEL):
        end = min(begin + PANEL, outputs)
        width, count = _padded(end - begin, PANEL_UNIT), end - begin
        panel = panels[begin * groups * 18 :][: width * groups * 18].reshape(groups, width * 18)
        panel[:, : width * 16].view(np.uint32).reshape(groups, 4, width)[:, :, :count] = (
            words_NGW[begin:end].transpose(1, 2, 0)
        )  # fmt: skip
        panel[:, width * 16 :].view(np.float16)[:, :count] = scale_NG[begin:end].T
    return panels


def _padded(value: int, unit: int) -> int:
    return -(-value // unit) * unit


def _padded_copy(of_output_N: npt.NDArray[Scalar], take: Take) -> npt.NDArray[Scalar]:
    copy = take(_padded(len(of_output_N), PANEL), of_output_N.dtype.type)
    copy[: len(of_output_N)] = of_output_N
    return copy
