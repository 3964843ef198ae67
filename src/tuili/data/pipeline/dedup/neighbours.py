"""Rows of keys, and a search for earlier rows that share a key: the tables of locality-sensitive hashing, as arrays.

A row of n keys of b bytes takes n * (b + 4) bytes, and 4n to 8n bytes for the heads of the chains. The rows alone
determine what is found, and in which order, however they were added.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuili.native import Places

LONGEST_CHAIN = 256
"""The number of earlier rows inspected for each key, the latest first: limits the time if thousands share a key."""
_MIX = np.uint64(0x9E3779B97F4A7C15)
Keys = NDArray[Any]


class Neighbours:
    """Rows with one key per column, in chains: one chain for each column and each slot, which is a hash of a key."""

    def __init__(self, columns: int, dtype: type[np.unsignedinteger[Any]], room: int = 1024) -> None:
        """room: the initial number of rows, a power of two; it grows."""
        self._columns = np.arange(columns)
        self._keys = np.empty((room, columns), dtype)
        self._earlier = np.empty((room, columns), np.uint32)
        self._latest = np.zeros((columns, room), np.uint32)
        self._rows = 0

    def __len__(self) -> int:
        return self._rows

    @property
    def keys(self) -> Keys:
        """The keys of all rows [rows, columns]."""
        return self._keys[: self._rows]

    def find(self, keys: Keys) -> Places:
        """The rows, in order, that share a key with these in the same column [columns]."""
        columns, entries = self._columns, self._latest[self._columns, self._slots(keys)]
        found = list[Places]()
        for _ in range(LONGEST_CHAIN):
            if not entries.all():
                columns, entries = columns[entries > 0], entries[entries > 0]
            if not len(entries):
                break
            rows = entries.astype(np.intp) - 1
            found.append(rows[self._keys[rows, columns] == keys[columns]])
            entries = self._earlier[rows, columns]
        return np.unique(np.concatenate(found)) if found else np.empty(0, np.intp)

    def append(self, keys: Keys) -> None:
        """Add a row [columns]."""
        if self._rows == len(self._keys):
            self._grow()
        self._keys[self._rows] = keys
        slots = self._slots(keys)
        self._earlier[self._rows] = self._latest[self._columns, slots]
        self._rows += 1
        self._latest[self._columns, slots] = self._rows

    def _slots(self, keys: Keys) -> Places:
        bits = self._latest.shape[1].bit_length() - 1
        mixed = keys.astype(np.uint64) * _MIX
        mixed = (mixed ^ (mixed >> np.uint64(32))) * _MIX
        return (mixed >> np.uint64(64 - bits)).astype(np.intp)

    def _grow(self) -> None:
        """Make room for twice as many rows, column by column."""
        size, columns = 2 * self._rows, len(self._columns)
        for name in ("_keys", "_earlier"):
            before = getattr(self, name)
            after = np.empty((size, columns), before.dtype)
            after[: self._rows] = before
            setattr(self, name, after)
        self._latest = np.zeros((columns, size), np.uint32)
        for column in range(columns):
            slots = self._slots(self._keys[: self._rows, column])
            order = np.argsort(slots, kind="stable")
            same = np.append(False, slots[order[1:]] == slots[order[:-1]])
            self._earlier[order, column] = np.where(same, np.append(0, order[:-1] + 1), 0)
            self._latest[column, slots[order]] = order + 1  # of equal slots, the last, which is the latest, remains
