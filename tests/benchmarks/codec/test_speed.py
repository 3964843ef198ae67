"""The benchmark of packed gradients measures every way, and tells the link on which they pay."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from benchmarks.codec.speed import BITS, measure, paying_link
from tests.native.calling import library


@pytest.fixture(autouse=True)
def same_threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def test_every_number_of_bits_is_measured_each_way():
    library()
    config, figures = measure(numbers=3000, runs=2, warmup=0, processes=(2,))
    packing = ("encode", "encode_rotated", "encode_with_errors", "encode_rotated_with_errors")
    ways = (*packing, "decode", "decode_rotated", "add", "add_rotated", "precondition")
    links = [f"{way}pays_over_{name}_by_2" for way in ("", "rotated_", "rotated_preconditioned_",
             "with_errors_", "rotated_with_errors_") for name in ("fp32", "fp16")]  # fmt: skip
    assert set(figures) == {f"{bits}_{name}" for bits in BITS for name in (*ways, "size", *links)}
    assert all(min(figures[f"{bits}_{way}"].runs) > 0 for bits in BITS for way in ways)
    assert figures["3_size"].runs == [(16 + 2 * 12 + 3 * 375) / 3000]
    assert config["numbers"] == 3000


@pytest.mark.parametrize(("way", "calls"), [
    ("", ("encode", "decode", "add")),
    ("rotated_", ("encode_rotated", "decode_rotated", "add_rotated")),
    ("rotated_preconditioned_", ("encode_rotated", "decode_rotated", "add_rotated", "precondition")),
    ("with_errors_", ("encode_with_errors", "decode", "add")),
    ("rotated_with_errors_", ("encode_rotated_with_errors", "decode_rotated", "add_rotated")),
])  # fmt: skip
def test_the_link_of_each_way_follows_from_its_own_speeds(way: str, calls: tuple[str, ...]) -> None:
    library()
    _, figures = measure(numbers=3000, runs=1, warmup=0, processes=(2,))
    encode, decode, add, *beside = (figures[f"3_{call}"].median for call in calls)
    link = paying_link(encode, decode, add, figures["3_size"].median, 4, 2, *beside)
    assert figures[f"3_{way}pays_over_fp32_by_2"].runs == [link]


def test_a_link_pays_below_the_speed_at_which_both_take_as_long():
    encode, decode, add, size, world_size = 2.0, 4.0, 3.0, 0.4, 4
    link = paying_link(encode, decode, add, size, 4.0, world_size) / 8
    whole = 2 * 3 / 4 * 4.0 / link
    packed = 2 * 3 / 4 * size / link + 4 * (1 + 1 / 4) / encode + 4 * (1 + 1 / 4) / decode + 4 * 3 / 4 / add
    assert whole == pytest.approx(packed)
    assert paying_link(encode, decode, add, 3.0, 2.0, world_size) == 0
    slower = paying_link(encode, decode, add, size, 4.0, world_size, 5.0) / 8
    assert 2 * 3 / 4 * 4.0 / slower == pytest.approx(2 * 3 / 4 * size / slower + packed - 2 * 3 / 4 * size / link + 0.8)
