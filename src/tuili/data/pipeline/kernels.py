"""Computations over all characters and words of a document, by the native library or, without it, by a slower NumPy
twin with bit-identical results.

A hash is a polynomial of characters, or of the hashes of words, in integers modulo 2^64.
"""

from __future__ import annotations

from functools import cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tuili.data.pipeline.characters import Class, Classes, Codes, basic_classes, classes_of
from tuili.native import Hashes, Library, Places, Scanned, TextKernels, load

_BASE = 0x9E3779B97F4A7C15
_INVERSE = pow(_BASE, -1, 2**64)
_MIX = np.uint64(0xD6E8FEB86659FD93)
_HALF = np.uint64(32)
_CHUNK = 1024


class Kernels(Protocol):
    """See `TextKernels`."""

    def scan(self, codes: Codes) -> Scanned: ...
    def runs(self, hashes: Hashes, n: int) -> Hashes: ...
    def stretches(self, hashes: Hashes, starts: Places, ends: Places) -> Hashes: ...
    def repeated(self, hashes: Hashes) -> NDArray[np.bool_]: ...
    def commonest(self, runs: Hashes, n: int, length_sums: Places) -> int: ...
    def least_products(self, hashes: Hashes, factors: Hashes) -> Hashes: ...


_compiles = True


def never_compile() -> None:
    """Stop compiling the library in this process, which has too little time for it."""
    global _compiles
    _compiles = False


@cache
def kernels() -> Kernels:
    """The kernels of this process. Compiles the library if necessary."""
    library = load(compiles=_compiles)
    return TextKernels(library, basic_classes()) if isinstance(library, Library) else NumpyKernels(basic_classes())


def scanned(text: str) -> Scanned:
    """The words of a text, unchanged. Raises `UnicodeEncodeError` for unpaired surrogates."""
    return kernels().scan(np.frombuffer(text.encode("utf-32-le"), np.uint32))


class NumpyKernels:
    """See `TextKernels`."""

    def __init__(self, table: Classes) -> None:
        self._table = table

    def scan(self, codes: Codes) -> Scanned:
        """All characters at once."""
        classes = classes_of(codes, self._table)
        if (classes == Class.IGNORED).any():
            shown = classes != Class.IGNORED
            codes, classes = codes[shown], classes[shown]
        counts: list[int] = np.bincount(classes, minlength=Class.COUNT).tolist()
        starts, ends = _bounds(classes)
        hashes = self.stretches(codes.astype(np.uint64) + np.uint64(1), starts, ends)
        return Scanned(codes, classes, counts, starts, ends, hashes)

    def runs(self, hashes: Hashes, n: int) -> Hashes:
        """As stretches of equal length."""
        starts = np.arange(max(0, len(hashes) - n + 1))
        return self.stretches(hashes, starts, starts + n)

    def stretches(self, hashes: Hashes, starts: Places, ends: Places) -> Hashes:
        """From running sums of `hashes[i] * base^i`, which give the polynomial of any stretch."""
        powers, inverses = _powers(len(hashes) + 1)
        sums = np.zeros(len(hashes) + 1, np.uint64)
        np.cumsum(hashes * powers[:-1], out=sums[1:])
        return mixed((sums[ends] - sums[starts]) * inverses[starts])

    def repeated(self, hashes: Hashes) -> NDArray[np.bool_]:
        """By sorting."""
        again = np.ones(len(hashes), np.bool_)
        again[np.unique(hashes, return_index=True)[1]] = False
        return again

    def commonest(self, runs: Hashes, n: int, length_sums: Places) -> int:
        """By sorting."""
        _, first, counts = np.unique(runs, return_index=True, return_counts=True)
        most = int(counts.max(initial=1))
        if most == 1:
            return 0
        first = first[counts == most]
        return most * int((length_sums[first + n] - length_sums[first]).max())

    def least_products(self, hashes: Hashes, factors: Hashes) -> Hashes:
        """In chunks of hashes."""
        least = np.full(len(factors), np.iinfo(np.uint64).max, np.uint64)
        for start in range(0, len(hashes), _CHUNK):
            np.minimum(least, (factors[:, None] * hashes[start : start + _CHUNK]).min(axis=1), out=least)
        return least


def mixed(values: Hashes) -> Hashes:
    """A one-to-one map that spreads every bit over the others."""
    values = (values ^ (values >> _HALF)) * _MIX
    values ^= values >> _HALF
    values *= _MIX
    return values ^ (values >> _HALF)


def _bounds(classes: Classes) -> tuple[Places, Places]:
    """Where words begin and end."""
    run = np.zeros(len(classes) + 2, np.uint8)  # 0 outside words; neighbouring words have different numbers
    run[1:-1] = (classes >= Class.LETTER) & (classes < Class.IGNORED)
    (han,) = (classes == Class.HAN).nonzero()
    run[han + 1] = 2 + (han & 1)
    edge, within = run[1:] != run[:-1], run > 0
    return (edge & within[1:]).nonzero()[0], (edge & within[:-1]).nonzero()[0]


_tables: tuple[Hashes, Hashes] = (np.empty(0, np.uint64), np.empty(0, np.uint64))


def _powers(length: int) -> tuple[Hashes, Hashes]:
    """The powers of the base and of its inverse, at least `length` of each, kept for the next text."""
    global _tables
    if len(_tables[0]) < length:
        size = max(1 << (length - 1).bit_length(), 1 << 13)
        pair = []
        for base in (_BASE, _INVERSE):
            powers = np.full(size, base, np.uint64)
            powers[0] = 1
            pair.append(np.cumprod(powers))
        _tables = (pair[0], pair[1])
    return _tables[0][:length], _tables[1][:length]
