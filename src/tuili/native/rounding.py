"""Weights rounded to a number format with numpy. `panels.py` arranges them in memory.

N: outputs, K: inputs, G: groups of 32 inputs, I: inputs of a group or a block, X: groups or blocks of all outputs, C:
constants of a group, W: words of a group, B: bytes of a word.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

INT4_GROUP = 32
LEAST_MIXED, MOST_MIXED = 16, 64
AT_ONCE = 1 << 16
"""The numbers processed at once: they stay in the cache, and in memory that is not newly allocated each time."""


def bf16_of(number: Floats) -> npt.NDArray[np.uint16]:
    """The bits of the nearest bf16 of each number, ties to even."""
    bits = np.ascontiguousarray(number, np.float32).view(np.uint32).reshape(-1)
    nearest = np.empty(bits.shape, np.uint16)
    for begin in range(0, bits.size, AT_ONCE):
        part = bits[begin : begin + AT_ONCE]
        nearest[begin : begin + AT_ONCE] = (part + (part >> 16 & 1) + np.uint32(0x7FFF)) >> 16
    return nearest.reshape(number.shape)


def int8_of(weight_NK: Floats) -> tuple[npt.NDArray[np.int8], Floats]:
    """Whole numbers from -127 to 127, and the scale of each output."""
    scale_N = np.maximum(np.abs(weight_NK).max(axis=1, initial=0), np.float32(1e-30)) / np.float32(127)
    return np.rint(weight_NK / scale_N[:, None]).astype(np.int8), scale_N


def mixing_of(inputs: int) -> int:
    """The size of a mixed block: the largest power of two from 16 to 64 that divides the number of inputs, or 0."""
    block = min(inputs & -inputs, MOST_MIXED)
    return block if block >= LEAST_MIXED else 0


def mixed(weight_NK: Floats, block: int) -> Floats:
    """The Walsh-Hadamard transform of each block of weights, divided by the block size; inputs are not divided."""
    from_IX = np.multiply(weight_NK.reshape(-1, block).T, np.float32(1 / block), order="C")
    to_IX, step = np.empty_like(from_IX), 1
    while step < block:
        low, high = from_IX.reshape(-1, 2, step, from_IX.shape[1]).swapaxes(0, 1)
        total, difference = to_IX.reshape(-1, 2, step, from_IX.shape[1]).swapaxes(0, 1)
        np.add(low, high, out=total)
        np.subtract(low, high, out=difference)
        from_IX, to_IX, step = to_IX, from_IX, step * 2
    return from_IX.T.reshape(weight_NK.shape)


def int4_of(weight_NK: Floats, affine: bool) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float16]]:
    """4-bit numbers, two in a byte, [N, K / 2], and the constants of each group, [N, G, C]: its scale.

    The number of largest absolute value becomes -8, so that all 16 values are used. affine: the least number becomes 0
    and the largest 15; the least number is a second constant. Byte b of word w in a group holds input 8 w + b and, in
    its high half, input 8 w + 4 + b.
    """
    group_IX = np.array(weight_NK.reshape(-1, INT4_GROUP).T, order="C")
    if affine:
        least_X = group_IX.min(axis=0).astype(np.float16)
        group_IX -= least_X
        scale_X = (group_IX.max(axis=0) / 15).astype(np.float16)
        constants = [scale_X, least_X]
    else:
        largest_X = np.take_along_axis(group_IX, np.abs(group_IX).argmax(axis=0)[None], axis=0)[0]
        scale_X = (largest_X / -8).astype(np.float16)
        constants = [scale_X]
    divisor_X = np.where(scale_X == 0, np.float32(1), scale_X.astype(np.float32))
    number_IX = np.clip(np.rint(group_IX / divisor_X) + (0 if affine else 8), 0, 15).astype(np.uint8)
    constant_XC, outputs = np.stack(constants, axis=1), len(weight_NK)
    return nibbles_of(number_IX).reshape(outputs, -1), constant_XC.reshape(outputs, -1, len(constants))


def nibbles_of(number_IX: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Packs the numbers of groups, from 0 to 15, in the order of `int4_of`: [X, I / 2]."""
    half_WHBX = number_IX.reshape(4, 2, 4, -1)
    byte_WBX = half_WHBX[:, 0] | half_WHBX[:, 1] << np.uint8(4)
    return byte_WBX.reshape(16, -1).T


def words_of(number_NK: npt.NDArray[Any]) -> npt.NDArray[np.uint32]:
    """Consecutive numbers as 32-bit words; zeros fill the last word."""
    missing = -number_NK.shape[1] % (4 // number_NK.itemsize)
    if missing:
        number_NK = np.pad(number_NK, ((0, 0), (0, missing)))
    return np.ascontiguousarray(number_NK).view(np.uint32)
