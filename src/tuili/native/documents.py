"""Loops over the characters and words of a document by the native library, in whole numbers alone.

What a word is, and what hashes are for, is left to the caller, as is a twin in numpy where there is no library.
"""

from __future__ import annotations

import ctypes
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tuili.native.library import Library, function

Hashes = NDArray[np.uint64]
Places = NDArray[np.intp]

CLASSES = 11
_ROOM = 2**16
"""Characters of most documents: what is written of them is copied out of memory that is kept."""
_int, _pointer = ctypes.c_int64, ctypes.c_void_p


class Scanned(NamedTuple):
    """The characters of a text that show, and its words."""

    codes: NDArray[np.uint32]
    """Code points [characters]."""
    classes: NDArray[np.uint8]
    """The class of each [characters]."""
    class_counts: list[int]
    """How many characters each class has [classes]."""
    starts: Places
    """Where each word begins [words]."""
    ends: Places
    """Where each word ends, exclusive [words]."""
    hashes: Hashes
    """A hash of each word [words]."""


class ScanRecord(ctypes.Structure):
    """`struct Scan`: addresses of arrays, and sizes."""

    _fields_ = (
        ("code", ctypes.c_char_p),
        ("table", _pointer),
        ("count", _int),
        *((name, _pointer) for name in ("shown", "shown_class", "start", "end", "hash")),
        ("shown_count", _int),
        ("words", _int),
        ("class_count", _int * CLASSES),
    )


class _Room:
    """Arrays that a scan of so many characters writes."""

    def __init__(self, count: int) -> None:
        self.codes, self.classes = np.empty(count, np.uint32), np.empty(count, np.uint8)
        self.starts, self.ends, self.hashes = np.empty(count, np.intp), np.empty(count, np.intp), np.empty(count, "u8")
        arrays = (self.codes, self.classes, self.starts, self.ends, self.hashes)
        self.addresses = tuple(array.ctypes.data for array in arrays)


class NativeLoops:
    """Calls that keep the interpreter's lock: one at a time."""

    def __init__(self, library: Library) -> None:
        self._scan = function(library.short, "tuili_scan", None, _pointer)
        self._runs = function(library.short, "tuili_runs", None, _pointer, _int, _int, _pointer)
        self._stretches = function(library.short, "tuili_stretches", None, _pointer, _pointer, _pointer, _int, _pointer)
        self._repeated = function(library.short, "tuili_repeated", ctypes.c_int32, _pointer, _int, _pointer)
        self._commonest = function(library.short, "tuili_commonest", _int, _pointer, _int, _int, _pointer)
        self._least = function(library.short, "tuili_least_products", None, _pointer, _int, _pointer, _int, _pointer)
        self._room = _Room(_ROOM)

    def scan(self, encoded: bytes, table: NDArray[np.uint8]) -> Scanned:
        """The words of a text in UTF-32 without a mark. table: the class of each code point of the basic plane."""
        count = len(encoded) // 4
        room = self._room if count <= _ROOM else _Room(count)
        call = ScanRecord(encoded, _address(table, np.uint8), count, *room.addresses)
        self._scan(ctypes.addressof(call))
        shown, words = call.shown_count, call.words
        return Scanned(
            room.codes[:shown].copy(),
            room.classes[:shown].copy(),
            call.class_count[:],
            room.starts[:words].copy(),
            room.ends[:words].copy(),
            room.hashes[:words].copy(),
        )

    def runs(self, hashes: Hashes, n: int) -> Hashes:
        """A hash of each run of n hashes [hashes - n + 1], none where there are fewer than n."""
        found = np.empty(max(0, len(hashes) - n + 1), np.uint64)
        self._runs(_address(hashes, np.uint64), len(hashes), n, found.ctypes.data)
        return found

    def stretches(self, hashes: Hashes, starts: Places, ends: Places) -> Hashes:
        """A hash of each stretch of hashes, from its start to its end, exclusive [stretches]."""
        if len(starts) != len(ends):
            raise ValueError(f"{len(starts)} starts and {len(ends)} ends: give one of each for a stretch")
        if len(starts) and not (starts.min() >= 0 and ends.max() <= len(hashes)):
            raise ValueError(f"stretches go beyond the {len(hashes)} hashes that there are")
        found = np.empty(len(starts), np.uint64)
        addresses = _address(starts, np.intp), _address(ends, np.intp)
        self._stretches(_address(hashes, np.uint64), *addresses, len(starts), found.ctypes.data)
        return found

    def repeated(self, hashes: Hashes) -> NDArray[np.bool_]:
        """Which of the hashes have stood before. Raises `MemoryError`."""
        again = np.empty(len(hashes), np.bool_)
        if not self._repeated(_address(hashes, np.uint64), len(hashes), again.ctypes.data):
            raise MemoryError
        return again

    def commonest(self, runs: Hashes, n: int, length_sums: Places) -> int:
        """The characters that the commonest of runs of n words takes up, the longest where several are; 0 where none
        stands twice. length_sums: the characters of all words before each word, and of all. Raises `MemoryError`.
        """
        if len(runs) and len(length_sums) < len(runs) + n:
            raise ValueError(f"{len(length_sums)} sums of lengths for {len(runs)} runs of {n} words: give one a word")
        found: int = self._commonest(_address(runs, np.uint64), len(runs), n, _address(length_sums, np.intp))
        if found < 0:
            raise MemoryError
        return found

    def least_products(self, hashes: Hashes, factors: Hashes) -> Hashes:
        """For each factor its least product with a hash, modulo 2^64 [factors]."""
        least = np.full(len(factors), np.iinfo(np.uint64).max, np.uint64)
        self._least(
            _address(hashes, np.uint64), len(hashes), _address(factors, np.uint64), len(factors), least.ctypes.data
        )
        return least


def _address(array: NDArray[Any], kind: type[np.generic]) -> int:
    """Raises `ValueError` unless the library can read an array."""
    if array.dtype != kind or not array.flags.c_contiguous:
        raise ValueError(f"an array of {array.dtype}, {array.strides}: give contiguous {kind.__name__}")
    address: int = array.ctypes.data
    return address
