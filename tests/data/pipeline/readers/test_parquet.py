from __future__ import annotations

import datetime
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.hostile import tables
from tests.data.pipeline.readers.reading import read, with_plain_ends
from tuili.data.pipeline.document import Document, ReadFault, Refusal
from tuili.data.pipeline.readers.files import find_files
from tuili.data.pipeline.readers.inputs import Input, Item
from tuili.data.pipeline.readers.parquet import ParquetReader, Part
from tuili.data.pipeline.reading import BATCH_BYTES, batches

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


def write(path: Path, rows: list[dict[str, object]], group: int = 1000) -> None:
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=group)


def test_a_row_is_a_document_with_what_json_can_hold_of_it(tmp_path: Path) -> None:
    held = {"n": 1, "tags": ["a"], "day": datetime.date(2024, 5, 1), "price": Decimal("1.50")}
    lost = {"raw": b"x", "none": None}
    write(tmp_path / "a.parquet", [{"text": "one"} | held | lost])
    (document,) = read(tmp_path / "a.parquet")
    assert isinstance(document, Document)
    assert (document.text, document.place) == ("one", "a.parquet#group=0&row=1")
    assert document.metadata == {"n": 1, "tags": ["a"], "day": "2024-05-01", "price": "1.50"}
    (document,) = read(tmp_path / "a.parquet", id="day")
    assert isinstance(document, Document) and document.id == "2024-05-01"


@pytest.mark.parametrize("group", [1, 7, 1000])
def test_rows_come_in_order_and_reading_may_begin_at_any_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, group: int
) -> None:
    monkeypatch.setattr("tuili.data.pipeline.readers.parquet.ITEM_ROWS", 3)
    write(tmp_path / "a.parquet", [{"text": f"row {number}"} for number in range(20)], group)
    found = read(tmp_path / "a.parquet")
    assert [one.text for one in found if isinstance(one, Document)] == [f"row {number}" for number in range(20)]
    for start in range(7):
        later = read(tmp_path / "a.parquet", start=start)
        assert len(later) > 0 and found[-len(later) :] == later


def test_bad_rows_are_refused_and_the_others_are_read(tmp_path: Path) -> None:
    rows = [{"text": "one"}, {"text": None}, {"text": " "}, {"text": "a\0b"}, {"text": "two"}]
    write(tmp_path / "a.parquet", rows)
    faults = [one.fault if isinstance(one, Refusal) else one.text for one in read(tmp_path / "a.parquet")]
    assert faults == ["one", ReadFault.NO_TEXT, ReadFault.EMPTY, ReadFault.WRONG_ENCODING, "two"]
    write(tmp_path / "b.parquet", [{"title": "one"}])
    (refusal,) = read(tmp_path / "b.parquet")
    assert isinstance(refusal, Refusal)
    assert refusal.message == "there is no field 'text'; its fields: title"


@pytest.mark.parametrize("damage", [b"", b"PAR1", b"%PDF", b"PAR1" + b"\xff" * 100 + b"PAR1"])
def test_what_is_no_parquet_is_refused(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "a.parquet").write_bytes(damage)
    (refusal,) = read(tmp_path / "a.parquet")
    assert isinstance(refusal, Refusal) and refusal.fault is ReadFault.DAMAGED
    assert refusal.message


def test_damage_within_is_refused_and_nothing_is_lost_in_silence(tmp_path: Path) -> None:
    """Bytes of the pages are changed, of the footer none: each row is read, or the part it stands in is refused."""
    path = tmp_path / "a.parquet"
    write(path, [{"text": f"row {number} " + "x" * number} for number in range(60)], group=20)
    whole = path.read_bytes()
    for place in range(4, len(whole) - 1200, 37):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        found = read(path)
        rows = sum(isinstance(one, Document) or "row=" in one.place for one in found)
        assert rows == 60 or any(isinstance(one, Refusal) for one in found)


def test_a_file_without_rows_is_told(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), tmp_path / "a.parquet")
    (refusal,) = read(tmp_path / "a.parquet")
    assert isinstance(refusal, Refusal) and refusal.fault is ReadFault.EMPTY


def test_a_group_that_says_it_is_huge_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuili.data.pipeline.readers.parquet.MAX_GROUP", 50)
    write(tmp_path / "a.parquet", [{"text": "x" * 5000}])
    (refusal,) = read(tmp_path / "a.parquet")
    assert isinstance(refusal, Refusal) and refusal.fault is ReadFault.TOO_LONG
    assert refusal.place == "a.parquet#group=0"


def test_a_group_with_fewer_rows_than_it_says_is_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a.parquet", [{"text": "one"}])
    opened = list[Path]()

    class Counted(pq.ParquetFile):  # type: ignore[misc]
        def __init__(self, path: Path) -> None:
            opened.append(path)
            super().__init__(path)

    monkeypatch.setattr("pyarrow.parquet.ParquetFile", Counted)
    (file,) = find_files([Input(path=tmp_path / "a.parquet")])
    reader = ParquetReader(Input(path=tmp_path / "a.parquet"))
    for number in (5, 6, 7):
        (refusal,) = reader.read(file, Item(0, number, "a", msgspec.msgpack.encode(Part(0, 3, number, 3, 2**24))))
        assert isinstance(refusal, Refusal) and refusal.message == "the group has fewer rows than the file says"
    assert len(opened) == 1


def test_a_file_is_cut_into_so_many_parts_at_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuili.data.pipeline.readers.parquet.ITEM_ROWS", 1)
    monkeypatch.setattr("tuili.data.pipeline.readers.parquet.MAX_ITEMS", 10)
    write(tmp_path / "a.parquet", [{"text": f"row {number}"} for number in range(16)], group=8)
    *documents, refusal = read(tmp_path / "a.parquet")
    assert len(documents) == 8
    assert isinstance(refusal, Refusal) and refusal.fault is ReadFault.TOO_LONG


@pytest.mark.parametrize(("claimed", "documents"), [(5, 0), (1, 0), (40, 0), (10**9, 0), (20, 20)])
def test_a_group_of_another_number_of_rows_than_of_values_is_refused(
    tmp_path: Path, claimed: int, documents: int
) -> None:
    """Fewer rows than there are would be lost without a word."""
    write(tmp_path / "a.parquet", [{"text": f"row {number}", "tags": ["a", "b"]} for number in range(20)])
    (tmp_path / "a.parquet").write_bytes(tables.with_rows((tmp_path / "a.parquet").read_bytes(), claimed))
    found = read(tmp_path / "a.parquet")
    refusals = [one for one in found if isinstance(one, Refusal)]
    assert len(found) - len(refusals) == documents
    assert [one.place for one in refusals] == ["a.parquet#group=0"] * (not documents)


def test_a_group_whose_columns_lie_as_well_gives_its_rows_and_a_refusal(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", [{"text": f"row {number}"} for number in range(20)])
    data = tables.with_rows((tmp_path / "a.parquet").read_bytes(), 30, values=30)
    (tmp_path / "a.parquet").write_bytes(data)
    *documents, refusal = read(tmp_path / "a.parquet")
    assert isinstance(refusal, Refusal) and refusal.fault is ReadFault.DAMAGED
    assert len(documents) in (0, 20)


def test_rows_that_are_one_value_are_refused_where_they_expand_too_much(tmp_path: Path) -> None:
    column = pa.DictionaryArray.from_arrays(pa.array([0] * 3000, pa.int32()), pa.array(["a" * 100_000]))
    pq.write_table(pa.table({"text": column}), tmp_path / "a.parquet", store_schema=False)
    found = read(tmp_path / "a.parquet")
    assert [one.fault for one in found if isinstance(one, Refusal)] == [ReadFault.EXPANDS_TOO_MUCH] * len(found)
    assert found[0].place == "a.parquet#group=0&part=0"
    column = pa.DictionaryArray.from_arrays(pa.array([0] * 3_000_000, pa.int32()), pa.array(["a"]))
    pq.write_table(pa.table({"text": column}), tmp_path / "b.parquet", store_schema=False, row_group_size=3_000_000)
    (refusal,) = read(tmp_path / "b.parquet")
    assert isinstance(refusal, Refusal) and refusal.fault is ReadFault.EXPANDS_TOO_MUCH


def test_memory_that_arrow_does_not_get_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a.parquet", [{"text": "one"}])

    class Full(pq.ParquetFile):  # type: ignore[misc]
        def iter_batches(self, *given: object, **more: object) -> Iterator[object]:
            raise pa.ArrowMemoryError("malloc of size 2147483648 failed")

    monkeypatch.setattr("pyarrow.parquet.ParquetFile", Full)
    (refusal,) = read(tmp_path / "a.parquet")
    assert isinstance(refusal, Refusal) and refusal.fault is ReadFault.TOO_MUCH_MEMORY
    assert refusal.place == "a.parquet#group=0&part=0"


def test_parts_of_a_group_stay_together_in_a_batch() -> None:
    def items(*places: str) -> Iterator[Item]:
        return (Item(0, number, place, weight=BATCH_BYTES) for number, place in enumerate(places))

    found = ["".join(item.place for item in batch) for batch in batches(items(*"abbbcd"))]
    assert found == ["a", "bbb", "c", "d"]
    assert [len(batch) for batch in batches(items(*"g" * 40))] == [16, 16, 8]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(min_size=1).filter(lambda text: text.strip() and "\0" not in text), min_size=1, max_size=9))
def test_what_was_written_is_read(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    path = tmp_path_factory.mktemp("rows") / "a.parquet"
    write(path, [{"text": text} for text in texts], group=4)
    assert [one.text for one in read(path) if isinstance(one, Document)] == [*map(with_plain_ends, texts)]


def test_a_row_that_is_no_utf8_costs_itself_alone(tmp_path: Path) -> None:
    column = pa.array([b"one", b"\xff\xfe", b"two"], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"text": column}), tmp_path / "a.parquet")
    first, refusal, last = read(tmp_path / "a.parquet")
    assert isinstance(first, Document) and isinstance(last, Document)
    assert isinstance(refusal, Refusal) and refusal.place == "a.parquet#group=0&row=2"


@pytest.mark.parametrize(
    "column",
    [
        pa.array([0, 300_000_000_000, 0], pa.int64()).view(pa.timestamp("s")),  # the year 11476
        pa.array([0, 2**30, 0], pa.int32()).view(pa.date32()),
        pa.array([0, 2**62, 0], pa.int64()).view(pa.duration("s")),
        pa.array([0, 1, 2], pa.int64()).view(pa.timestamp("s", tz="No/Where")),
        pa.array([None, b"\xff\xfe", None], pa.binary()).view(pa.string()),
    ],
    ids=["year", "date", "duration", "zone", "utf8"],
)
def test_a_value_that_python_cannot_hold_costs_no_text(tmp_path: Path, column: object) -> None:
    pq.write_table(pa.table({"text": ["one", "two", "three"], "n": [1, 2, 3], "seen": column}), tmp_path / "a.parquet")
    found = read(tmp_path / "a.parquet")
    assert [(one.text, one.metadata["n"]) for one in found if isinstance(one, Document)] == [
        ("one", 1), ("two", 2), ("three", 3),
    ]  # fmt: skip
    assert [one.text for one in found if isinstance(one, Document) and "seen" not in one.metadata]
