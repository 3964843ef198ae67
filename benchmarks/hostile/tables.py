"""Parquet whose sizes are lies, and files by that name that are none."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from random import Random

from benchmarks.hostile.records import sentence
from benchmarks.hostile.thrift import Struct, read_struct, write_struct

_NUM_ROWS, _GROUPS = 3, 4
_COLUMNS, _GROUP_BYTES, _GROUP_ROWS = 1, 2, 3
_COLUMN_META = 3
_VALUES, _UNPACKED, _PACKED, _DATA_PAGE, _DICTIONARY_PAGE = 5, 6, 7, 9, 11
_INTEGER = 6
_PAGE_UNPACKED, _PAGE_PACKED = 2, 3
_BIG = (2**31 - 1, 2**31, 2**40, 2**62)


def table(rng: Random, rows: int = 60, group: int = 20) -> bytes:
    """A sound file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    stream = io.BytesIO()
    columns = {"text": [sentence(rng) for _ in range(rows)], "n": list(range(rows))}
    pq.write_table(pa.table(columns), stream, row_group_size=group, use_dictionary=rng.random() < 0.5)
    return stream.getvalue()


def with_rows(data: bytes, rows: int, values: int | None = None, group: int = 0) -> bytes:
    """A file of which a group says that it has so many rows, and its columns so many values where that is given."""

    def lie(groups: list[Struct]) -> None:
        groups[group][_GROUP_ROWS] = (_INTEGER, rows)
        if values is not None:
            for column in groups[group][_COLUMNS][1][1]:
                column[_COLUMN_META][1][_VALUES] = (_INTEGER, values)

    return _changed(data, lie)


def lies_of_rows(path: Path, rng: Random) -> None:
    """A group says that it has more rows than there are, or fewer, or fewer than none; perhaps its columns, too."""
    rows = rng.choice((*_BIG, 1000, 21, 19, 1, 0, -1, -(2**40)))
    path.write_bytes(with_rows(table(rng), rows, rng.choice((None, rows)) if rows > 20 else None, rng.randrange(3)))


def lies_of_groups(path: Path, rng: Random) -> None:
    """A group says that it has more bytes than a reader may take."""

    def lie(groups: list[Struct]) -> None:
        for group in groups:
            group[_GROUP_BYTES] = (group[_GROUP_BYTES][0], rng.choice((*_BIG, -1, -(2**40))))

    path.write_bytes(_changed(table(rng), lie))


def lies_of_columns(path: Path, rng: Random) -> None:
    """The text says that it is larger than the file, or elsewhere."""

    def lie(groups: list[Struct]) -> None:
        for group in groups:
            meta = group[_COLUMNS][1][1][0][_COLUMN_META][1]
            field = rng.choice((_PACKED, _DATA_PAGE))
            meta[field] = (meta[field][0], rng.choice((*_BIG, -5, -(2**40))))
            meta.pop(_DICTIONARY_PAGE, None)

    path.write_bytes(_changed(table(rng), lie))


def lies_of_pages(path: Path, rng: Random) -> None:
    """The head of a page says that the page is larger than it is, before or behind compression."""
    data = bytearray(table(rng))
    footer, _ = read_struct(_footer(bytes(data)))
    for group in footer[_GROUPS][1][1]:
        meta = group[_COLUMNS][1][1][0][_COLUMN_META][1]
        place = meta.get(_DICTIONARY_PAGE, meta[_DATA_PAGE])[1]
        head, _ = read_struct(bytes(data), place)
        head[rng.choice((_PAGE_UNPACKED, _PAGE_PACKED))] = (5, rng.choice((2**31 - 1, 2**28, -1, -(2**31))))
        written = write_struct(head)
        data[place : place + len(written)] = written  # over the beginning of the page, too
    path.write_bytes(data)


def bomb(path: Path, rng: Random) -> None:
    """Hundreds of thousands of rows that are one value, of megabytes, which the file holds once."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows, text = rng.randrange(5000, 20_000), rng.choice("abc") * 2 ** rng.randrange(16, 22)
    column = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array([text]))
    pq.write_table(pa.table({"text": column}), path, store_schema=False, row_group_size=rows, compression="zstd")


def cut(path: Path, rng: Random) -> None:
    """A part of a file."""
    whole = table(rng)
    at = rng.randrange(4, len(whole) - 8)
    path.write_bytes(rng.choice((whole[:at], whole[:4] + whole[at:], whole[:at] + b"PAR1")))


def no_table(path: Path, rng: Random) -> None:
    """Something else by that name, or a footer that is longer than the file."""
    size = rng.choice((2**31 - 1, 2**32 - 1, 500)).to_bytes(4, "little")
    path.write_bytes(
        rng.choice((b"", b"PAR1", b"PARE" * 9, b"PAR1" + rng.randbytes(80) + size + b"PAR1", rng.randbytes(400)))
    )


def another_column(path: Path, rng: Random) -> None:
    """Rows without a text."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    wrong = rng.choice(
        ({"body": ["a"]}, {"text": [1]}, {"text": [None]}, {"text": [["a"]]}, {"text": [" "]}, {"text": ["a\0"]})
    )
    column = {name: values * rng.randrange(1, 50) for name, values in wrong.items()}
    if column.get("text", [""])[0] is None:
        column = {"text": pa.array(column["text"], pa.string())}
    pq.write_table(pa.table(column), path)


def _footer(data: bytes) -> bytes:
    return data[-8 - int.from_bytes(data[-8:-4], "little") : -8]


def _changed(data: bytes, lie: Callable[[list[Struct]], None]) -> bytes:
    """The file with another footer. lie: changes the groups of rows."""
    old = _footer(data)
    footer, _ = read_struct(old)
    lie(footer[_GROUPS][1][1])
    total = sum(group[_GROUP_ROWS][1] for group in footer[_GROUPS][1][1])
    footer[_NUM_ROWS] = (footer[_NUM_ROWS][0], max(0, min(total, 2**62)))
    new = write_struct(footer)
    return data[: -8 - len(old)] + new + len(new).to_bytes(4, "little") + b"PAR1"
