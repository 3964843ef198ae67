"""Memory for the native library: aligned for its vectors, for weights in large pages behind one another, and for texts
so that it goes back to the system with them.

Large pages and neighbouring matrices let a product read at the speed of memory: about a tenth is lost without them.
"""

from __future__ import annotations

import mmap
from contextlib import suppress
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

ALIGNMENT = 64
LARGE_PAGE = 2 << 20
CHUNK = 16 << 20
"""An arena grows by at least so many bytes. What is never written takes no memory, but for a large page's rest."""
MAPPED = 1 << 20
"""Bytes from which on a piece is worth pages of its own."""

Scalar = TypeVar("Scalar", bound=np.generic)


class Take(Protocol):
    """Memory for so many numbers of a kind: zeros, from a multiple of 64 bytes on."""

    def __call__(self, count: int, kind: type[Scalar]) -> npt.NDArray[Scalar]: ...


def aligned(count: int, kind: type[Scalar]) -> npt.NDArray[Scalar]:
    """Such memory on its own."""
    size = np.dtype(kind).itemsize * count
    memory = np.zeros(size + ALIGNMENT, np.uint8)
    begin = -memory.ctypes.data % ALIGNMENT
    return memory[begin : begin + size].view(kind)


def returned(count: int, kind: type[Scalar]) -> npt.NDArray[Scalar]:
    """Such memory on its own, which the system has back as soon as nobody refers to it, where it is large. The heap
    would keep what is freed below something in use."""
    size = np.dtype(kind).itemsize * count
    if size < MAPPED:
        return aligned(count, kind)
    return np.frombuffer(mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS), np.uint8).view(kind)


class Arena:
    """Such memory, cut from large pages. A chunk is given back when the last array in it is gone."""

    def __init__(self) -> None:
        self._left = np.zeros(0, np.uint8)

    def take(self, count: int, kind: type[Scalar]) -> npt.NDArray[Scalar]:
        """The next piece."""
        size = np.dtype(kind).itemsize * count
        room = -(-size // ALIGNMENT) * ALIGNMENT
        if room > self._left.size:
            self._left = _large_pages(max(room, CHUNK))
        piece, self._left = self._left[:size], self._left[room:]
        return piece.view(kind)


def _large_pages(size: int) -> npt.NDArray[np.uint8]:
    mapped = mmap.mmap(-1, size + LARGE_PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory = np.frombuffer(mapped, np.uint8)
    begin = -memory.ctypes.data % LARGE_PAGE
    if hasattr(mmap, "MADV_HUGEPAGE"):  # on Linux
        with suppress(OSError):  # this kernel has none
            mapped.madvise(mmap.MADV_HUGEPAGE, begin // mmap.PAGESIZE * mmap.PAGESIZE)
    return memory[begin : begin + size]
