"""Memory for the native library, aligned for vector instructions.

Weights are contiguous in large pages: this lets a product read at memory speed; without it, about a tenth is lost. The
memory of a text returns to the system with the text.
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
"""An arena grows by at least this many bytes. Unwritten pages take no memory, except the rest of a large page."""
MAPPED = 1 << 20
"""An array of at least this many bytes gets pages of its own."""

Scalar = TypeVar("Scalar", bound=np.generic)


class Take(Protocol):
    """Allocates zeroed memory for `count` numbers of a kind, aligned to 64 bytes."""

    def __call__(self, count: int, kind: type[Scalar]) -> npt.NDArray[Scalar]: ...


def aligned(count: int, kind: type[Scalar]) -> npt.NDArray[Scalar]:
    """Allocates such memory on its own."""
    size = np.dtype(kind).itemsize * count
    memory = np.zeros(size + ALIGNMENT, np.uint8)
    begin = -memory.ctypes.data % ALIGNMENT
    return memory[begin : begin + size].view(kind)


def returned(count: int, kind: type[Scalar]) -> npt.NDArray[Scalar]:
    """Allocates such memory on its own. Large memory returns to the system as soon as nothing refers to it; the heap
    would keep freed memory below memory in use."""
    size = np.dtype(kind).itemsize * count
    if size < MAPPED:
        return aligned(count, kind)
    return np.frombuffer(mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS), np.uint8).view(kind)


class Arena:
    """Allocates such memory from large pages. A chunk is freed when the last array in it is gone."""

    def __init__(self) -> None:
        self._left = np.zeros(0, np.uint8)

    def take(self, count: int, kind: type[Scalar]) -> npt.NDArray[Scalar]:
        """Allocates the next piece."""
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
        with suppress(OSError):  # this kernel has no large pages
            mapped.madvise(mmap.MADV_HUGEPAGE, begin // mmap.PAGESIZE * mmap.PAGESIZE)
    return memory[begin : begin + size]
