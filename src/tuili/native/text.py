"""The native library's integer computations over all characters and words of a text.

The caller defines words and uses the hashes, and has a numpy twin for use without the library.
"""

from __future__ import annotations

import ctypes
import secrets
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tuili.native.library import Library, function

Hashes = NDArray[np.uint64]
Places = NDArray[np.intp]

CLASSES = 11
BASIC = 2**16
"""The number of code points in the table of classes."""
_int, _word, _pointer = ctypes.c_int64, ctypes.c_uint64, ctypes.c_void_p


class Scanned(NamedTuple):
    """The visible characters of a text, and its words."""

    codes: NDArray[np.uint32]
    """Code points [characters]."""
    classes: NDArray[np.uint8]
    """The class of each [characters]."""
    class_counts: list[int]
    """The number of characters in each class [classes]."""
    starts: Places
    """The start of each word [words]."""
    ends: Places
    """The exclusive end of each word [words]."""
    hashes: Hashes
    """A hash of each word [words]."""


class ScanRecord(ctypes.Structure):
    """`struct Scan`: addresses of arrays, and sizes."""

    _fields_ = (
        ("code", _pointer),
        ("table", _pointer),
        ("count", _int),
        *((name, _pointer) for name in ("shown", "shown_class", "start", "end", "hash")),
        ("shown_count", _int),
        ("words", _int),
        ("class_count", _int * CLASSES),
    )


class TextKernels:
    """Functions on arrays, which several threads may call. Calls keep the interpreter's lock.

    Arrays of the wrong kind raise `TypeError`, arrays of the wrong size raise `IndexError`.
    """

    def __init__(self, library: Library, table: NDArray[np.uint8]) -> None:
        """table: the class of each code point of the basic plane [65,536], as `characters.Class` numbers them."""
        if len(table) != BASIC or table.max() >= CLASSES:
            raise IndexError(f"a table of {len(table)} classes up to {table.max()}: give {BASIC}, below {CLASSES}")
        self._table = table
        self._secret = secrets.randbits(64) | 1
        """Decides the positions of hashes in tables, and does not affect results."""
        short = library.short
        self._scan = function(short, "tuili_scan", None, _pointer)
        self._runs = function(short, "tuili_runs", None, _pointer, _int, _int, _pointer)
        self._stretches = function(short, "tuili_stretches", None, _pointer, _pointer, _pointer, _int, _pointer)
        self._repeated = function(short, "tuili_repeated", ctypes.c_int32, _pointer, _int, _word, _pointer)
        self._commonest = function(short, "tuili_commonest", _int, _pointer, _int, _int, _word, _pointer)
        self._least = function(short, "tuili_least_products", None, _pointer, _int, _pointer, _int, _pointer)

    def scan(self, codes: NDArray[np.uint32]) -> Scanned:
        """The visible characters and the words of a text, given the code points of its characters."""
        count = len(codes)
        shown, classes = np.empty(count, np.uint32), np.empty(count, np.uint8)
        starts, ends, hashes = np.empty(count, np.intp), np.empty(count, np.intp), np.empty(count, np.uint64)
        written = (array.ctypes.data for array in (shown, classes, starts, ends, hashes))
        call = ScanRecord(_address(codes, np.uint32), _address(self._table, np.uint8), count, *written)
        self._scan(ctypes.addressof(call))
        left, words = call.shown_count, call.words
        return Scanned(shown[:left], classes[:left], call.class_count[:], starts[:words], ends[:words], hashes[:words])

    def runs(self, hashes: Hashes, n: int) -> Hashes:
        """A hash of each run of n hashes [hashes - n + 1]; empty for fewer than n hashes."""
        found = np.empty(max(0, len(hashes) - n + 1), np.uint64)
        self._runs(_address(hashes, np.uint64), len(hashes), n, found.ctypes.data)
        return found

    def stretches(self, hashes: Hashes, starts: Places, ends: Places) -> Hashes:
        """A hash of each stretch of hashes, from its start to its exclusive end [stretches]."""
        if len(starts) != len(ends):
            raise IndexError(f"{len(starts)} starts and {len(ends)} ends: give one of each for a stretch")
        if len(starts) and not (starts.min() >= 0 and (starts <= ends).all() and ends.max() <= len(hashes)):
            raise IndexError(f"stretches go beyond the {len(hashes)} hashes that there are, or end before they start")
        found = np.empty(len(starts), np.uint64)
        addresses = _address(starts, np.intp), _address(ends, np.intp)
        self._stretches(_address(hashes, np.uint64), *addresses, len(starts), found.ctypes.data)
        return found

    def repeated(self, hashes: Hashes) -> NDArray[np.bool_]:
        """Which hashes have occurred earlier in the array. Raises `MemoryError`."""
        again = np.empty(len(hashes), np.bool_)
        if not self._repeated(_address(hashes, np.uint64), len(hashes), self._secret, again.ctypes.data):
            raise MemoryError
        return again

    def commonest(self, runs: Hashes, n: int, length_sums: Places) -> int:
        """The number of characters that all occurrences of the commonest run of n words take up.

        Among equally common runs, the longest counts; 0 if no run occurs twice. length_sums: the number of characters
        before each word, and in all words. Raises `MemoryError`.
        """
        if len(runs) and len(length_sums) < len(runs) + n:
            raise IndexError(f"{len(length_sums)} sums of lengths for {len(runs)} runs of {n} words: give one a word")
        addresses = _address(runs, np.uint64), _address(length_sums, np.intp)
        found: int = self._commonest(addresses[0], len(runs), n, self._secret, addresses[1])
        if found < 0:
            raise MemoryError
        return found

    def least_products(self, hashes: Hashes, factors: Hashes) -> Hashes:
        """The least product, modulo 2^64, of each factor with any hash [factors]."""
        least = np.full(len(factors), np.iinfo(np.uint64).max, np.uint64)
        addresses = _address(hashes, np.uint64), _address(factors, np.uint64)
        self._least(addresses[0], len(hashes), addresses[1], len(factors), least.ctypes.data)
        return least


def _address(array: NDArray[Any], kind: type[np.generic]) -> int:
    if array.dtype != kind or not array.flags.c_contiguous:
        raise TypeError(f"an array of {array.dtype}, {array.strides}: give contiguous {kind.__name__}")
    address: int = array.ctypes.data
    return address
