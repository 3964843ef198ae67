"""Weights as the native products read them: panels of 64 outputs, see docs/native.md. `rounding.py` rounds the weights.

N: outputs of a matrix, P: outputs of a panel, K: inputs.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from tuili.errors import InputError
from tuili.native.memory import Scalar, Take, aligned
from tuili.native.rounding import INT4_GROUP, Floats, bf16_of, int4_of, int8_of, mixed, mixing_of, words_of

NumberFormat = Literal["fp32", "bf16", "int8", "int4"]
FORMATS: tuple[NumberFormat, ...] = get_args(NumberFormat)
PackedFormat = Literal[NumberFormat, "affine"]
"""`affine` is the int4 of models that were not trained in whole numbers."""
STEP: Mapping[PackedFormat, tuple[int, int]] = {
    "fp32": (1, 4),
    "bf16": (2, 4),
    "int8": (4, 4),
    "int4": (INT4_GROUP, INT4_GROUP // 2 + 2),
    "affine": (INT4_GROUP, INT4_GROUP // 2 + 4),
}
"""The number of inputs in one step through a panel, and an output's bytes in a step; ordered as `enum class Format`."""

SUM_BLOCK = 32
"""The number of inputs summed separately in fp32, for models whose logits are compared with another program's."""
PANEL = 64
PANEL_UNIT = 16
"""The last panel of a matrix is padded to a multiple of this number of outputs."""


class MatrixRecord(ctypes.Structure):
    """`struct Matrix` of matrix.h."""

    _fields_ = (
        ("panels", ctypes.c_void_p), ("scale_N", ctypes.c_void_p), ("sum_N", ctypes.c_void_p),
        ("inner", ctypes.c_void_p), ("next", ctypes.c_void_p),
        ("outputs", ctypes.c_int32), ("inputs", ctypes.c_int32), ("format", ctypes.c_int32), ("mixing", ctypes.c_int32),
    )  # fmt: skip


@dataclass(frozen=True)
class Matrix:
    """A packed matrix. `record` points into the arrays, which must live as long as the record is in use."""

    format: PackedFormat
    outputs: int
    inputs: int
    panels: npt.NDArray[np.uint8]
    scale_N: Floats | None
    sum_N: npt.NDArray[np.int32] | None
    mixing: int = 0
    """The number of inputs in a block. Blocks are mixed before rounding; in fp32, the products of each block are summed
    separately. 0: there are no blocks."""

    @property
    def record(self) -> MatrixRecord:
        """The structure that C functions read."""
        scale, total = (None if array is None else array.ctypes.data for array in (self.scale_N, self.sum_N))
        return MatrixRecord(
            self.panels.ctypes.data,
            scale,
            total,
            None,
            None,
            self.outputs,
            self.inputs,
            list(STEP).index(self.format),
            self.mixing,
        )

    @property
    def nbytes(self) -> int:
        """The bytes that one product reads."""
        return sum(array.nbytes for array in (self.panels, self.scale_N, self.sum_N) if array is not None)


Packer = Callable[[MatrixRecord, Floats], bool]
"""Packs weights as fp32, bf16 or int8 into zeroed memory, as `pack` does itself; returns whether all are finite."""


def pack(
    weight_NK: Floats,
    number_format: NumberFormat,
    take: Take = aligned,
    *,
    foreign: bool = False,
    packer: Packer | None = None,
) -> Matrix:
    """Pack weights into memory from `take`. int4 becomes int8 if the number of inputs is no multiple of 32.

    foreign: the model was not trained in whole numbers. Such models have outlier inputs, next to which the others round
    badly: int8 therefore mixes its inputs if their number allows it, and int4 is affine. packer: packs faster.

    Raises `InputError` if a weight is not finite, or too large for the format.
    """
    outputs, inputs = weight_NK.shape
    kind: PackedFormat = "int8" if number_format == "int4" and inputs % INT4_GROUP else number_format
    if foreign and kind == "int4":
        kind = "affine"
    mixing = 0
    if foreign:
        mixing = {"int8": mixing_of(inputs), "fp32": SUM_BLOCK}.get(kind, 0)
    panels = take_panels(kind, outputs, inputs, take)
    if packer is not None and kind in ("fp32", "bf16", "int8"):
        room = _padded(outputs, PANEL) if kind == "int8" else 0
        scale_N, sum_N = (take(room, np.float32), take(room, np.int32)) if room else (None, None)
        matrix = Matrix(kind, outputs, inputs, panels, scale_N, sum_N, mixing)
        if not packer(matrix.record, np.ascontiguousarray(weight_NK, np.float32)):
            raise not_finite(outputs, inputs)
        return matrix
    scales, sums = list[Floats](), list[npt.NDArray[np.int32]]()
    for begin in range(0, outputs, PANEL):  # one panel at a time stays in the cache
        weight_PK = np.ascontiguousarray(weight_NK[begin : begin + PANEL], np.float32)
        if not np.isfinite(weight_PK).all():
            raise not_finite(outputs, inputs)
        constant_PGC = None
        match kind:
            case "fp32":
                number_PK: npt.NDArray[Any] = weight_PK
            case "bf16":
                number_PK = bf16_of(weight_PK)
            case "int8":
                number_PK, scale_P = int8_of(mixed(weight_PK, mixing) if mixing else weight_PK)
                scales.append(scale_P)
                sums.append(number_PK.sum(axis=1, dtype=np.int32))
            case "int4" | "affine":
                if np.abs(weight_PK).max(initial=0) > (8 if kind == "int4" else 1) * float(np.finfo(np.float16).max):
                    size = f"{outputs} x {inputs}"
                    raise InputError(f"a matrix of {size} has weights that are too large for int4: pack it as int8")
                number_PK, constant_PGC = int4_of(weight_PK, kind == "affine")
        fill(panels, kind, inputs, begin, number_PK, constant_PGC)
    return Matrix(kind, outputs, inputs, panels, joined(scales, take), joined(sums, take), mixing)


def not_finite(outputs: int, inputs: int) -> InputError:
    """The error for a matrix with weights that are not finite."""
    return InputError(f"a matrix of {outputs} x {inputs} has weights that are not finite: it cannot be packed")


def take_panels(kind: PackedFormat, outputs: int, inputs: int, take: Take) -> npt.NDArray[np.uint8]:
    """Memory for the panels of a matrix."""
    return take(_padded(outputs, PANEL_UNIT) * _bytes_of_output(kind, inputs), np.uint8)


def fill(
    panels: npt.NDArray[np.uint8],
    kind: PackedFormat,
    inputs: int,
    begin: int,
    number_PX: npt.NDArray[Any],
    constant_PSC: npt.NDArray[np.float16] | None = None,
) -> None:
    """Write the numbers and constants of P outputs, starting at output `begin`, into their panel.

    Each of the S steps holds the first word of every output, then the second word of every output, and so on, then the
    constants in the same order.
    """
    outputs, of_output = len(number_PX), _bytes_of_output(kind, inputs)
    width = _padded(outputs, PANEL_UNIT)
    panel_SB = panels[begin * of_output :][: width * of_output].reshape(-1, width * STEP[kind][1])
    word_PSW = words_of(number_PX).reshape(outputs, len(panel_SB), -1)
    words = word_PSW.shape[2]
    panel_SWP = panel_SB[:, : width * words * 4].view(np.uint32).reshape(-1, words, width)
    panel_SWP[:, :, :outputs] = word_PSW.transpose(1, 2, 0)
    if constant_PSC is not None:
        panel_SCP = panel_SB[:, width * words * 4 :].view(np.float16).reshape(len(panel_SB), -1, width)
        panel_SCP[:, :, :outputs] = constant_PSC.transpose(1, 2, 0)


def _bytes_of_output(kind: PackedFormat, inputs: int) -> int:
    step_inputs, step_bytes = STEP[kind]
    return -(-inputs // step_inputs) * step_bytes


def _padded(value: int, unit: int) -> int:
    return -(-value // unit) * unit


def joined(parts: Sequence[npt.NDArray[Scalar]], take: Take) -> npt.NDArray[Scalar] | None:
    """The numbers of all outputs, padded; None if the format has none."""
    if not parts:
        return None
    numbers = np.concatenate(parts)
    result = take(_padded(len(numbers), PANEL), numbers.dtype.type)
    result[: len(numbers)] = numbers
    return result
