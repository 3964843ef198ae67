"""The benchmark of packed gradients measures every way, and tells the link on which they pay."""

from __future__ import annotations

import pytest

from benchmarks.codec.speed import BITS, measure, paying_link
from tests.native.calling import library


def test_every_number_of_bits_is_measured_each_way():
    library()
    config, figures = measure(numbers=3000, runs=2, warmup=0, processes=(2,))
    ways = ("encode", "encode_rotated", "encode_with_errors", "decode", "decode_rotated", "add")
    told = (*ways, "size", "pays_over_fp32_by_2", "pays_over_fp16_by_2")
    assert set(figures) == {f"{bits}_{name}" for bits in BITS for name in told}
    assert all(min(figures[f"{bits}_{way}"].runs) > 0 for bits in BITS for way in ways)
    assert figures["3_size"].runs == [(16 + 2 * 12 + 3 * 375) / 3000]
    assert config["numbers"] == 3000


def test_a_link_pays_below_the_speed_at_which_both_take_as_long():
    encode, decode, size, world_size = 2.0, 4.0, 0.4, 4
    link = paying_link(encode, decode, size, 4.0, world_size) / 8
    whole = 2 * 3 / 4 * 4.0 / link
    packed = 2 * 3 / 4 * size / link + 4 * (1 + 1 / 4) / encode + 4 * 2 / decode
    assert whole == pytest.approx(packed)
    assert paying_link(encode, decode, 3.0, 2.0, world_size) == 0
