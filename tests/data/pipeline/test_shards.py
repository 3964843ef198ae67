from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data.pipeline.conftest import contents
from tuili.data.pipeline.document import Drop
from tuili.data.pipeline.pipeline import Dropped, Kept, Trace
from tuili.data.pipeline.report import HEIGHT, WIDTH, bars, ticks
from tuili.data.pipeline.tally import Histogram, Tally, bin_of, bin_start, told_number
from tuili.data.pipeline.writers.shards import ShardPosition, Shards

STEPS = st.lists(st.lists(st.binary(max_size=20).map(lambda data: data + b"\n"), max_size=4), max_size=12)


def shards(folder: Path, position: ShardPosition | None = None) -> Shards:
    return Shards(folder, position or ShardPosition(), documents=5, size=60, level=3)


def again(position: ShardPosition) -> ShardPosition:
    return ShardPosition(position.shard, position.documents, position.size, position.length)


@settings(max_examples=60, deadline=None)
@given(STEPS, st.data())
def test_shards_that_are_taken_up_anywhere_hold_the_same_bytes(
    tmp_path_factory: pytest.TempPathFactory, steps: list[list[bytes]], data: st.DataObject
) -> None:
    """What was written behind the position, even whole shards, is gone as if it had never been."""
    at, others = data.draw(st.integers(0, len(steps))), data.draw(STEPS)
    whole, cut = tmp_path_factory.mktemp("whole"), tmp_path_factory.mktemp("cut")
    writer = shards(whole)
    for lines in steps:
        writer.append(lines)
    writer.close()
    writer = shards(cut)
    for lines in steps[:at]:
        writer.append(lines)
    writer.flush()
    position = again(writer.position)
    for lines in others:
        writer.append(lines)
    writer.close()
    writer = shards(cut, position)
    for lines in steps[at:]:
        writer.append(lines)
    writer.close()
    assert contents(cut) == contents(whole)


@given(st.lists(st.floats(0, 1e12), min_size=1))
def test_a_histogram_counts_every_value_in_a_bin_that_holds_it(values: list[float]) -> None:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
        place = bin_of(value)
        assert bin_start(place) <= value * (1 + 1e-6) + 1e-9
        assert value <= bin_start(place + 1) * (1 + 1e-6)
    assert histogram.count == len(values)
    median = sorted(values)[(len(values) - 1) // 2]
    assert min(0.84 * median, median - 0.02) - 1e-9 <= histogram.quantile(0.5) <= median * (1 + 1e-6) + 1e-9


@given(st.floats(0, 1e12), st.floats(0, 1))
def test_every_quantile_of_one_value_is_that_value(value: float, share: float) -> None:
    histogram = Histogram()
    histogram.add(value)
    assert histogram.quantile(share) == value


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (1362, "1,362"), (1234567.8, "1,234,568"), (999.7, "1,000"), (99.97, "100"), (12.345, "12.3"), (7, "7"),
        (0.5, "0.5"), (0.01234, "0.0123"), (0.00012, "0.0001"), (0.00001, "0"), (-1362, "-1,362"), (1e290, "1e+290"),
    ],
)  # fmt: skip
def test_a_number_is_told_plainly(value: float, told: str) -> None:
    assert told_number(value) == told


def test_values_that_are_no_share_and_no_length_have_a_bin() -> None:
    assert bin_of(float("nan")) == bin_of(-3) == bin_of(0) == -50
    assert bin_of(float("inf")) == bin_of(1e301)
    histogram = Histogram()
    for value in (1.7e308, 1.7e308, float("inf"), float("nan")):
        histogram.add(value)
    assert histogram.total == 3e290  # JSON, of which the state is made, has no infinity


def trace(number: int) -> Trace:
    return Trace(f"a:{number}", f"a:{number}", "web", 10 * number, "text", {"quality": number / 100})


def test_examples_are_few_and_do_not_depend_on_the_order() -> None:
    ends = [
        Kept(trace(number), b"") if number % 2 else Dropped(trace(number), "basic", Drop("few")) for number in range(99)
    ]
    forwards, backwards = Tally(), Tally()
    for tally, order in ((forwards, ends), (backwards, ends[::-1])):
        for settled in order:
            tally.add(settled, 3)
    assert forwards.examples == backwards.examples
    assert {name: len(kept) for name, kept in forwards.examples.items()} == {"kept": 3, "basic/few": 3}
    assert forwards.documents_kept + forwards.documents_dropped == 99


def test_a_tally_stays_small_whatever_documents_are_called() -> None:
    tally = Tally()
    for number in range(200):
        long = Trace("i" * 10_000 + str(number), "p" * 10_000, f"{number}" * 1000, 9, "text", {})
        tally.add(Kept(long, b""), 3)
        tally.add(Dropped(long, "basic", Drop("unknown_kind", {"kind": "k" * 10_000})), 3)
    assert len(tally.kept) == 65
    assert tally.kept["others"] == 136
    assert tally.documents_kept == 200
    assert len(msgspec.json.encode(tally.examples)) < 10_000


def test_bars_are_shares_of_each_end_and_fit_the_picture() -> None:
    tally = Tally()
    for number in range(50):
        tally.add(Kept(trace(number), b""), 0)
        tally.add(Dropped(trace(number), "basic", Drop("few")), 0)
    drawn = bars(tally.measures["quality"])
    assert {bar.end for bar in drawn} == {"kept", "dropped"}
    assert max(bar.height for bar in drawn) == HEIGHT
    assert all(bar.y >= 0 and bar.y + bar.height == pytest.approx(HEIGHT) for bar in drawn)
    places = [place for place, _ in ticks(drawn)]
    assert len(places) > 3
    assert all(later - earlier >= WIDTH / 12 for earlier, later in pairwise(places))
    assert bars({}) == [] == ticks([])
