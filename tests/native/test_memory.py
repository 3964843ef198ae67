"""Memory for weights: aligned pieces of large chunks that do not overlap and live as long as they are used."""

from __future__ import annotations

import gc
import mmap
from pathlib import Path

import numpy as np
import pytest

from tuili.native.memory import CHUNK, MAPPED, Arena, aligned, returned


@pytest.mark.parametrize("take", [aligned, returned, Arena().take], ids=["aligned", "returned", "arena"])
def test_pieces_are_zero_aligned_and_apart(take):
    pieces = [take(count, kind) for count in (1, 17, 64, 1000) for kind in (np.uint8, np.float32, np.int32)]
    for number, piece in enumerate(pieces):
        assert piece.ctypes.data % 64 == 0
        assert not piece.any()
        piece[:] = number
    assert all((piece == number).all() for number, piece in enumerate(pieces))


def test_a_piece_may_be_larger_than_a_chunk_and_outlives_its_arena():
    arena = Arena()
    arena.take(5, np.uint8)
    large = arena.take(CHUNK, np.float32)
    small = arena.take(3, np.int32)
    large[-1], small[:] = 7, 5
    del arena
    gc.collect()
    assert large[-1] == 7 and not large[:-1].any() and (small == 5).all()


def test_neighbours_stand_side_by_side():
    arena = Arena()
    first, second = arena.take(100, np.float32), arena.take(8, np.float32)
    assert second.ctypes.data - first.ctypes.data == 448


def resident() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE


def test_the_system_has_large_pieces_back_below_others_that_stay():
    pieces = [returned(8 * MAPPED, np.uint8) for _ in range(9)]
    before = resident()
    for piece in pieces:
        piece[:] = 1
    full = resident()
    assert full - before >= 8 * 8 * MAPPED
    del piece, pieces[:8]
    assert full - resident() >= 7 * 8 * MAPPED
    assert pieces[0].all()
