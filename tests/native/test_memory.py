"""Memory for weights: aligned pieces of large chunks that do not overlap and live as long as they are used."""

from __future__ import annotations

import gc

import numpy as np
import pytest

from tuili.native.memory import CHUNK, Arena, aligned


@pytest.mark.parametrize("take", [aligned, Arena().take], ids=["aligned", "arena"])
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
