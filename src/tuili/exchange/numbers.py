"""Number formats of weights: their safetensors names, and rounding from one to another.

In memory, BF16 is held as its bits in uint16, as in `tuili.store`; the others are native numpy types.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from tuili.errors import InputError

Array = np.ndarray[Any, Any]
Kind = Literal["F32", "F16", "BF16"]
NUMPY = {"F32": "<f4", "F16": "<f2", "BF16": "<u2"}
DTYPE = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}
"""Their names in config.json."""


def to_float32(array: Array) -> Array:
    """The numbers in float32, which represents all three formats exactly."""
    if array.dtype == np.uint16:
        wide: Array = array.astype("<u4") << 16
        return wide.view("<f4")
    narrow: Array = array.astype("<f4", copy=False)
    return narrow


def from_float32(name: str, array: Array, kind: Kind) -> Array:
    """The nearest numbers in a format, with ties to even. Raises `InputError` if one is too large for it."""
    if kind == "F32":
        return array
    if kind == "F16":
        with np.errstate(over="ignore"):
            rounded = array.astype("<f2")
        if not np.isfinite(rounded).all():
            raise InputError(f"tensor {name} has numbers too large for float16: use bfloat16")
        return rounded
    bits: Array = np.ascontiguousarray(array).view("<u4")
    upper: Array = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    return upper.astype("<u2")


def check_finite(name: str, array: Array) -> None:
    """Raise `InputError` if a weight is infinite or NaN."""
    sound = ((array & 0x7F80) != 0x7F80).all() if array.dtype == np.uint16 else np.isfinite(array).all()
    if not sound:
        raise InputError(f"tensor {name} has numbers that are not finite: the weights are damaged")
