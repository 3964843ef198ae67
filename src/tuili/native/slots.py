"""The slots of the native step: the KV cache of running texts, one slot in its own memory for each text.

Nothing is ever moved between slots, and tokens are removed by overwriting them. `source/cache.h` describes the layout.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tuili.native.memory import MAPPED, returned
from tuili.native.records import SlotRecord, SlotsRecord

CacheFormat = Literal["fp32", "bf16", "int8"]
CACHE_FORMATS: tuple[CacheFormat, ...] = get_args(CacheFormat)
"""In the order of `enum class CacheFormat`."""
BLOCK = 16
"""The number of tokens or units in a block."""
_CELLS: dict[CacheFormat, Any] = {"fp32": np.float32, "bf16": np.uint16, "int8": np.int8}


@dataclass(frozen=True)
class SavedSlot:
    """A copy of the beginning of a slot."""

    arrays: tuple[NDArray[Any], ...]

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        return sum(array.nbytes for array in self.arrays)


class Slots:
    """`count` slots, all empty at first.

    Args:
        planes: the number of key/value sets, times two, times the number of key/value heads.
        width: the head size, padded to `BLOCK`.
        has_units: whether the means of units are read.
    """

    def __init__(self, count: int, planes: int, width: int, cache_format: CacheFormat, has_units: bool = True) -> None:
        self._planes, self._width, self._has_units = planes, width, has_units
        self._cell, self._scaled = _CELLS[cache_format], cache_format == "int8"
        self._records = (SlotRecord * count)()
        self._record = SlotsRecord(ctypes.addressof(self._records), count, 0)
        self._arrays = [self._room(0, 0) for _ in range(count)]
        self.address = ctypes.addressof(self._record)

    def reserve(self, slot: int, tokens: int, units: int) -> None:
        """Make room for this many tokens and units in total. If the slot has too little room, its content is copied."""
        record = self._records[slot]
        if tokens <= record.tokens and units <= record.units:
            return
        sizes = [
            had if wanted <= had else -(-wanted // BLOCK) * BLOCK
            for wanted, had in ((tokens, record.tokens), (units, record.units))
        ]
        old, new = self._arrays[slot], self._room(*sizes)
        for source, target in zip(old, new, strict=True):
            target[..., : source.shape[-1]] = source
        self._hold(slot, new, *sizes)

    def clear(self, slot: int) -> None:
        """Mark a slot's content as no longer needed. If its memory is large, it is freed."""
        if sum(array.nbytes for array in self._arrays[slot]) >= MAPPED:
            self._hold(slot, self._room(0, 0), 0, 0)

    @property
    def nbytes(self) -> int:
        """Bytes of memory in all slots."""
        return sum(array.nbytes for arrays in self._arrays for array in arrays)

    def save(self, slot: int, tokens: int, units: int) -> SavedSlot:
        """A copy of a slot's first tokens and units."""
        pieces = zip(self._arrays[slot], self._lengths(tokens, units), strict=True)
        return SavedSlot(tuple(_copied(array[..., :length]) for array, length in pieces))

    def load(self, slot: int, saved: SavedSlot, tokens: int, units: int) -> None:
        """Fill a slot with the first tokens and units of a copy."""
        self.reserve(slot, tokens, units)
        pieces = zip(self._arrays[slot], saved.arrays, self._lengths(tokens, units), strict=True)
        for target, source, length in pieces:
            target[..., :length] = source[..., :length]

    def _hold(self, slot: int, arrays: Sequence[NDArray[Any]], tokens: int, units: int) -> None:
        self._arrays[slot] = arrays
        places = [array.ctypes.data if array.size else None for array in arrays]
        self._records[slot] = SlotRecord(*places, tokens, units)

    def _room(self, tokens: int, units: int) -> Sequence[NDArray[Any]]:
        """Memory for tokens' keys and values, their scales, units' mean keys and values, and units' first tokens."""
        kv, scale, unit_kv, unit_start = self._lengths(tokens, units)
        return (
            returned(self._planes * kv, self._cell).reshape(self._planes, kv),
            np.zeros((self._planes, scale), np.float32),
            returned(self._planes * unit_kv, np.float32).reshape(self._planes, unit_kv),
            np.zeros(unit_start, np.int32),
        )

    def _lengths(self, tokens: int, units: int) -> tuple[int, ...]:
        """The last dimensions of these arrays, rounded up to whole blocks."""
        tokens, units = (-(-count // BLOCK) * BLOCK for count in (tokens, units if self._has_units else 0))
        return tokens * self._width, tokens if self._scaled else 0, units * self._width, units


def _copied(array: NDArray[Any]) -> NDArray[Any]:
    copy = returned(array.size, array.dtype.type).reshape(array.shape)
    copy[...] = array
    return copy
