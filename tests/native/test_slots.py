"""Slots of texts take the memory that their texts need, and give it back."""

from __future__ import annotations

import numpy as np
import pytest

from tuili.native.memory import MAPPED
from tuili.native.slots import CACHE_FORMATS, CacheFormat, Slots

PLANES, WIDTH = 360, 64
"""As of SmolLM2 with twice its layers."""
BYTES = {"fp32": 4 * WIDTH, "bf16": 2 * WIDTH, "int8": WIDTH + 4}
"""Of a token in a plane."""


@pytest.mark.parametrize("cache", CACHE_FORMATS)
def test_a_slot_has_room_for_whole_blocks_and_no_more(cache: CacheFormat) -> None:
    slots = Slots(2, PLANES, WIDTH, cache, has_units=False)
    for tokens, room in ((100, 112), (112, 112), (113, 128), (7, 128)):
        slots.reserve(1, tokens, 0)
        assert slots.nbytes == PLANES * room * BYTES[cache]


def test_what_a_slot_held_is_there_after_it_grew_and_in_copies() -> None:
    slots = Slots(2, PLANES, WIDTH, "bf16", has_units=False)
    slots.reserve(0, 160, 0)
    saved = slots.save(0, 160, 0)
    saved.arrays[0][:] = np.random.default_rng(1).integers(0, 1 << 16, saved.arrays[0].shape)
    slots.load(0, saved, 150, 0)
    slots.reserve(0, 900, 0)
    again = slots.save(0, 160, 0)
    assert again.nbytes == saved.nbytes == PLANES * 160 * BYTES["bf16"]
    assert np.array_equal(again.arrays[0], saved.arrays[0]) and again.arrays[0].any()


def test_a_large_slot_is_given_back_and_a_small_one_stays() -> None:
    slots = Slots(2, PLANES, WIDTH, "bf16", has_units=False)
    slots.reserve(0, 16, 0)
    slots.reserve(1, 512, 0)
    small = PLANES * 16 * BYTES["bf16"]
    assert small < MAPPED < PLANES * 512 * BYTES["bf16"]
    for slot in (0, 1):
        slots.clear(slot)
    assert slots.nbytes == small
    slots.reserve(1, 32, 0)  # it can be used again
    assert not slots.save(1, 32, 0).arrays[0].any()
    assert slots.nbytes == 3 * small
