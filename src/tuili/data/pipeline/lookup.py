"""A small set of hashes in which all hashes of a document are looked up at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tuili.native import Hashes, Places

_SLOTS = 2**16
_NONE = 2**15 - 1


class Lookup:
    """Distinct hashes, in any order. Two gathers and a comparison find them; a binary search takes ten times as long.

    Sixteen bits of a hash select its slot. The few hashes whose slot is taken are searched one by one.
    """

    def __init__(self, hashes: Hashes) -> None:
        """Raises `ValueError` for more hashes than the slots can index."""
        if len(hashes) >= _NONE:
            raise ValueError(f"{len(hashes)} hashes are too many for a lookup: use a sorted array")
        self.hashes = np.append(hashes, np.uint64(0))
        self._slots = np.full(_SLOTS, len(hashes), np.int16)
        self._crowded = list[int]()
        for place, slot in enumerate(self._slot(hashes).tolist()):
            if self._slots[slot] == len(hashes):
                self._slots[slot] = place
            else:
                self._crowded.append(place)

    def places(self, hashes: Hashes) -> Places:
        """For each hash, its index in the set, or the size of the set if it is not there."""
        places = self._slots[self._slot(hashes)].astype(np.intp)
        places[self.hashes[places] != hashes] = len(self.hashes) - 1
        for place in self._crowded:
            places[hashes == self.hashes[place]] = place
        return places

    def holds(self, hashes: Hashes) -> NDArray[np.bool_]:
        """Which hashes are in the set."""
        return np.asarray(self.places(hashes) != len(self.hashes) - 1)

    def _slot(self, hashes: Hashes) -> Hashes:
        return hashes >> np.uint64(48)
