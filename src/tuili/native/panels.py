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
"""In the order of `enum class Format`, which has one more: int4 of models that were not trained for it."""

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

    format: NumberFormat | Literal["affine"]
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
            self.panels.ctypes.data,
            scale,
            total,
            self.outputs,
            self.inputs,
            (*FORMATS, "affine").index(self.format),
            self.mixing,
        )

    @property
    def nbytes(self) -> int:
        """Bytes that one product reads."""
        return sum(array.nbytes for array in (self.panels, self.scale_N, self.sum_N) if array is not None)


def pack(weight_NK: Floats, number_format: NumberFormat, take: Take = aligned, *, foreign: bool = False) -> Matrix:
    """Pack weights into memory of `take`. Where int4 is asked and the inputs are no multiple of 32, the matrix is int8.

    foreign: the model was not trained for whole numbers. Single inputs are then much larger than the others, and round
    badly beside them: int8 mixes its inputs, where their number allows it, and int4 is affine.

    Raises `InputError` where a weight is not finite, or too large for the format.
    """
    weight_NK = np.ascontiguousarray(weight_NK, np.float32)
    outputs, inputs = weight_NK.shape
    if number_format == "int4" and inputs % INT4_GROUP:
        number_format = "int8"
    if not np.isfinite(weight_NK).all():
        raise InputError(f"a matrix of {outputs} x {inputs} has weights that are not finite: it cannot be packed")
    scale_N, sum_N, mixing = None, None, 0
    match number_format:
        case "fp32":
            words_NS = weight_NK.view(np.uint32)
        case "bf16":
            words_NS = _words(bf16_of(weight_NK), 2)
        case "int8":
            if foreign and (mixing := mixing_of(inputs)):
                weight_NK = _mixed(weight_NK, mixing)
            scale_N = np.maximum(np.abs(weight_NK).max(axis=1, initial=0), np.float32(1e-30)) / np.float32(127)
            number_NK = np.rint(weight_NK / scale_N[:, None]).astype(np.int8)
            sum_N = _padded_copy(number_NK.sum(axis=1, dtype=np.int32), take)
            scale_N = _padded_copy(scale_N, take)
            words_NS = _words(number_NK, 4)
        case "int4":
            bytes_of_panels = _pack_int4(weight_NK, foreign, take)
            return Matrix("affine" if foreign else "int4", outputs, inputs, bytes_of_panels, None, None)
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


def _mixed(weight_NK: Floats, block: int) -> Floats:
    """The Walsh-Hadamard transform of each block of inputs over its size: inputs are transformed without that."""
    mixed_NK = np.empty_like(weight_NK)
    for begin in range(0, len(weight_NK), PANEL):  # so much stays in the cache
        block_XI = weight_NK[begin : begin + PANEL].reshape(-1, block)
        from_IX = np.multiply(block_XI.T, np.float32(1 / block), order="C")
        to_IX = np.empty_like(from_IX)
        step = 1
        while step < block:
            low, high = from_IX.reshape(-1, 2, step, len(block_XI)).swapaxes(0, 1)
            total, difference = to_IX.reshape(-1, 2, step, len(block_XI)).swapaxes(0, 1)
            np.add(low, high, out=total)
            np.subtract(low, high, out=difference)
            from_IX, to_IX, step = to_IX, from_IX, step * 2
        mixed_NK[begin : begin + PANEL].reshape(-1, block)[...] = from_IX.T
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


def _pack_int4(weight_NK: Floats, affine: bool, take: Take) -> npt.NDArray[np.uint8]:
    """Groups of 32 inputs: 4 words of 8 nibbles an output, then the outputs' scales in fp16.

    The number of largest size stands for -8, so that all 16 values are used. affine: the least number stands for 0, and
    the largest for 15; the least ones follow the scales.
    """
    outputs, inputs = weight_NK.shape
    groups = inputs // INT4_GROUP
    group_NGI = weight_NK.reshape(outputs, groups, INT4_GROUP)
    if np.abs(weight_NK).max(initial=0) > (1 if affine else 8) * float(np.finfo(np.float16).max):
        raise InputError(f"a matrix of {outputs} x {inputs} has weights that are too large for int4: pack it as int8")
    if affine:
        least_NG1 = group_NGI.min(axis=2, keepdims=True).astype(np.float16)
        group_NGI = group_NGI - least_NG1
        scale_NG1 = (group_NGI.max(axis=2, keepdims=True) / 15).astype(np.float16)
    else:
        largest_NG1 = np.take_along_axis(group_NGI, np.abs(group_NGI).argmax(axis=2, keepdims=True), axis=2)
        scale_NG1 = (largest_NG1 / -8).astype(np.float16)
    divisor_NG1 = np.where(scale_NG1 == 0, np.float32(1), scale_NG1.astype(np.float32))
    number_NGI = np.clip(np.rint(group_NGI / divisor_NG1) + (0 if affine else 8), 0, 15).astype(np.uint8)
    # byte b of word w: input 8 w + b in its low half, 8 w + 4 + b in its high half
    half_NGWHB = number_NGI.reshape(outputs, groups, 4, 2, 4)
    byte_NGWB = half_NGWHB[:, :, :, 0] | half_NGWHB[:, :, :, 1] << 4
    words_NGW = np.ascontiguousarray(byte_NGWB).view(np.uint32)[..., 0]
    constants_NGC = np.concatenate([scale_NG1, least_NG1], axis=2) if affine else scale_NG1
    step = INT4_GROUP // 2 + 2 * constants_NGC.shape[2]
    panels = take(_padded(outputs, PANEL_UNIT) * groups * step, np.uint8)
    for begin in range(0, outputs, PANEL):
        end = min(begin + PANEL, outputs)
        width, count = _padded(end - begin, PANEL_UNIT), end - begin
        panel = panels[begin * groups * step :][: width * groups * step].reshape(groups, width * step)
        of_words, of_constants = panel[:, : width * 16].view(np.uint32), panel[:, width * 16 :].view(np.float16)
        of_words.reshape(groups, 4, width)[:, :, :count] = words_NGW[begin:end].transpose(1, 2, 0)
        of_constants.reshape(groups, -1, width)[:, :, :count] = constants_NGC[begin:end].transpose(1, 2, 0)
    return panels


def _padded(value: int, unit: int) -> int:
    return -(-value // unit) * unit


def _padded_copy(of_output_N: npt.NDArray[Scalar], take: Take) -> npt.NDArray[Scalar]:
    copy = take(_padded(len(of_output_N), PANEL), of_output_N.dtype.type)
    copy[: len(of_output_N)] = of_output_N
    return copy
