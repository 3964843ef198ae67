"""Packs matrices that are already whole numbers, as in the folder of a model that was trained in them.

Numbers of 8 bits, [..., N, K], have a scale for each output, [..., N, 1]. Numbers of 4 bits are stored plus 8, two in a
byte, [..., N, K / 2], the first in the low half, and have a scale for each group, [..., N, G]; blocks of their inputs
were mixed before rounding.

N: outputs, K: inputs, G: groups of 32 inputs, P: outputs of a panel; X: numbers or bytes of an output.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tuili.native.memory import Take, aligned
from tuili.native.panels import PANEL, Matrix, PackedFormat, fill, joined, not_finite, take_panels
from tuili.native.rounding import INT4_GROUP, Floats, mixed, mixing_of, nibbles_of

SCALE_SUFFIX = "_scale"


class Whole(NamedTuple):
    """The numbers of a matrix, int8 [N, K] or uint8 [N, K / 2] as above, and its scales, float32."""

    number: NDArray[Any]
    scale: Floats

    @property
    def format(self) -> PackedFormat:
        """The format in which the matrix is packed."""
        return "int8" if self.number.dtype == np.int8 else "int4"


def whole_of(tensors: Mapping[str, NDArray[Any]], *names: str) -> Whole:
    """Concatenates whole-number tensors with the same inputs."""
    numbers, scales = [tensors[name] for name in names], [tensors[name + SCALE_SUFFIX] for name in names]
    return Whole(np.concatenate(numbers), np.concatenate(scales).astype(np.float32))


def value_of(whole: Whole, mixing: int = 0) -> Floats:
    """The weights that whole numbers stand for, [..., N, K]. mixing: as in `pack_whole`."""
    if whole.format == "int8":
        value: Floats = whole.number * whole.scale
        return mixed(value, mixing) * np.float32(mixing) if mixing else value
    group = one_by_one(whole.number).reshape(*whole.scale.shape, INT4_GROUP)
    of_group = (group.astype(np.float32) - 8) * whole.scale[..., None]
    inputs = 2 * whole.number.shape[-1]
    flat_NK, block = of_group.reshape(-1, inputs), mixing_of(inputs)
    return (mixed(flat_NK, block) * np.float32(block)).reshape(*whole.number.shape[:-1], inputs)


def one_by_one(byte: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Unpacks bytes that hold two numbers from 0 to 15."""
    return np.stack([byte & 15, byte >> 4], axis=-1).reshape(*byte.shape[:-1], -1)


def pack_whole(whole: Whole, take: Take = aligned, mixing: int = 0) -> Matrix:
    """Pack a matrix. With 8 bits, the result equals that of `pack` for the weights that the numbers stand for.

    mixing: the number of inputs in a block that was mixed before rounding to 8 bits, as in `Matrix`.
    Raises `InputError` if a scale is not finite.
    """
    number_NX, scale = whole
    outputs, is_int8 = len(number_NX), whole.format == "int8"
    inputs = number_NX.shape[1] * (1 if is_int8 else 2)
    if not np.isfinite(scale).all():
        raise not_finite(outputs, inputs)
    panels = take_panels(whole.format, outputs, inputs, take)
    for begin in range(0, outputs, PANEL):
        part_PX = number_NX[begin : begin + PANEL]
        if is_int8:
            fill(panels, whole.format, inputs, begin, part_PX)
        else:
            number_IX = one_by_one(part_PX).reshape(-1, INT4_GROUP).T
            constant_PGC = scale[begin : begin + PANEL].astype(np.float16)[..., None]
            fill(panels, whole.format, inputs, begin, nibbles_of(number_IX).reshape(len(part_PX), -1), constant_PGC)
    if not is_int8:
        return Matrix("int4", outputs, inputs, panels, None, None, mixing_of(inputs))
    sum_N = number_NX.sum(axis=1, dtype=np.int32)
    return Matrix("int8", outputs, inputs, panels, joined([scale[:, 0]], take), joined([sum_N], take), mixing)
