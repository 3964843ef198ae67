"""Parquet, one document per row. The file's group metadata determine how rows are split into items. They may be false:
reading runs in a worker with limited time and memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from tuili.data.pipeline.document import Document, ReadFault, Refusal
from tuili.data.pipeline.readers.inputs import Input, Item, SourceFile
from tuili.data.pipeline.readers.jsonl import LINE_BYTES, MAX_EXPANSION
from tuili.data.pipeline.readers.reader import Reader, json_fields, needed, unreadable
from tuili.errors import one_line

ITEM_BYTES, ITEM_ROWS = 2**20, 1024
"""The approximate bytes of rows in an item, and the maximum number of its rows."""
MAX_GROUP = 2**30
"""The maximum declared bytes of a row group: a reader takes a group's pages into memory."""
MAX_ITEMS = 1_000_000
"""The maximum number of items of a file, because the whole file is split at once."""
MAX_FREE_ROWS = 1_000_000
"""The rows that any group may have. A row counts as at least `LINE_BYTES` of the size that a file may expand to."""
EXPANDS_FREELY = 2**24
"""The bytes that any part may have. A value that the file stores once may be the value of a million rows."""
_OF_A_VALUE = (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError)
"""What a value raises that Python cannot hold: a text that is not UTF-8, a non-existent time zone or year."""
_FEWER = "the group has fewer rows than the file says"
_TOO_LARGE = "reading it takes more memory than a worker may have: write smaller groups"


class Part(msgspec.Struct, array_like=True, frozen=True):
    """Some rows of a row group."""

    group: int
    size: int
    """The number of rows in each part of the group."""
    number: int
    """The number of the part in its group."""
    rows: int
    """The number of rows that the part should have."""
    most: int
    """The maximum number of bytes of its rows."""


class Group(NamedTuple):
    """What a file declares about a row group."""

    rows: int
    size: int
    """The number of bytes before compression."""
    values: int
    """The number of values in a column, which should equal the number of rows."""


class ParquetReader(Reader):
    """Reads rows. Columns other than the text become metadata if JSON can hold them; other values are left out."""

    outlines = True

    def __init__(self, settings: Input) -> None:
        """Raises `InputError` if pyarrow is not installed."""
        super().__init__(settings)
        needed("pyarrow", "Parquet")
        self._open: tuple[int, Part, Iterator[Any]] | None = None
        self._ended = (-1, -1)
        """The file and the group that had fewer rows than declared: parts after its end need not be looked for."""

    def outline(self, number: int, file: SourceFile) -> list[Item]:
        """The items of a file: parts of its row groups."""
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile

        try:
            with ParquetFile(file.path) as parquet:
                found = parquet.metadata
                groups = [found.row_group(group) for group in range(found.num_row_groups)]
                flat = [
                    place for place in range(found.num_columns) if not found.schema.column(place).max_repetition_level
                ]
                said = [Group(group.num_rows, group.total_byte_size, _values(group, flat)) for group in groups]
                return self._outline(number, file, said)
        except (ArrowException, OSError, ValueError, MemoryError) as error:
            if isinstance(error, OSError) and error.errno:  # the system's errors have a number, Arrow's have none
                return [Item(number, 0, file.name, offset=file.size, fault=unreadable(file.name, error))]
            refusal = Refusal(file.name, ReadFault.DAMAGED, one_line(error))
            return [Item(number, 0, file.name, offset=file.size, fault=refusal)]

    def _outline(self, number: int, file: SourceFile, groups: list[Group]) -> list[Item]:
        items = list[Item]()
        done, total = 0, max(1, sum(max(0, group.size) for group in groups))
        all_rows = max(1, sum(max(0, group.rows) for group in groups))
        most = MAX_EXPANSION * file.size
        for count, (rows, size, values) in enumerate(groups):
            place = f"{file.name}#group={count}"
            done += max(0, size)
            offset = int(file.size * done / total)
            step = min(max(1, ITEM_BYTES * rows // max(size, 1)), ITEM_ROWS)
            parts = -(-rows // step)
            refusal = None
            if rows < 0 or size < 0 or size > MAX_GROUP or len(items) + parts > MAX_ITEMS:
                message = f"a group of {rows:,} rows and {size:,} bytes: write groups of at most {MAX_GROUP >> 20} MiB"
                refusal = Refusal(place, ReadFault.TOO_LONG, message)
            elif values != rows:
                message = f"a group of {rows:,} rows, of which a column has {values:,} values"
                refusal = Refusal(place, ReadFault.DAMAGED, message)
            elif rows > max(MAX_FREE_ROWS, most // LINE_BYTES):
                message = f"a group of {rows:,} rows in a file of {file.size:,} bytes: what it holds is not read"
                refusal = Refusal(place, ReadFault.EXPANDS_TOO_MUCH, message)
            if refusal:
                items.append(Item(number, len(items), place, offset=offset, fault=refusal))
                continue
            for part in range(parts):
                held = min(step, rows - part * step)
                part_most = max(EXPANDS_FREELY, most * held // all_rows)
                data = msgspec.msgpack.encode(Part(count, step, part, held, part_most))
                items.append(Item(number, len(items), place, data, min(size, ITEM_BYTES), offset))
        if not items:
            items.append(
                Item(number, 0, file.name, fault=Refusal(file.name, ReadFault.EMPTY, "there are no rows: leave it out"))
            )
        return items

    def read(self, file: SourceFile, item: Item) -> Iterator[Document | Refusal]:
        """The documents of some rows."""
        from pyarrow import ArrowException

        part = msgspec.msgpack.decode(item.data, type=Part)
        place = f"{item.place}&part={part.number}"
        try:
            rows, size = self._rows(file, item.file, part)
        except MemoryError:  # Arrow's memory error is an `ArrowException`, too
            yield Refusal(place, ReadFault.TOO_MUCH_MEMORY, _TOO_LARGE)
            return
        except (ArrowException, OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno:
                yield unreadable(item.place, error)
                return
            yield Refusal(place, ReadFault.DAMAGED, one_line(error))
            return
        if size > part.most:
            message = (
                f"{part.rows:,} rows expand to {size:,} bytes, over {MAX_EXPANSION:,} times what the file has of them"
            )
            yield Refusal(place, ReadFault.EXPANDS_TOO_MUCH, message)
            return
        for number, row in enumerate(rows, start=part.number * part.size + 1):
            yield self.row(f"{item.place}&row={number}", json_fields(row, self.settings.text))
        if len(rows) < part.rows:
            yield Refusal(place, ReadFault.DAMAGED, _FEWER)

    def _rows(self, file: SourceFile, number: int, part: Part) -> tuple[list[dict[str, Any]], int]:
        """The rows of a part, or none if the part is larger than allowed, and its size in bytes.

        Consecutive parts continue the same read; otherwise the group is read from its start.
        """
        if self._ended == (number, part.group):
            raise ValueError(_FEWER)
        reached = self._open
        if (
            reached is None
            or reached[0] != number
            or reached[1].group != part.group
            or reached[1].number >= part.number
        ):
            reached = (number, msgspec.structs.replace(part, number=-1), self._batches(file, part))
        before, batches = reached[1].number, reached[2]
        self._open = None  # after an error, reading cannot be continued
        batch: Any = None
        for _ in range(part.number - before):
            batch = next(batches, None)
            if batch is None:
                self._ended = number, part.group
                raise ValueError(_FEWER)
        self._open = (number, part, batches)
        return (rows_of(batch) if batch.nbytes <= part.most else []), batch.nbytes

    def _batches(self, file: SourceFile, part: Part) -> Iterator[Any]:
        from pyarrow.parquet import ParquetFile

        with ParquetFile(file.path) as parquet:
            yield from parquet.iter_batches(part.size, row_groups=[part.group], use_threads=False)


def _values(group: Any, flat: list[int]) -> int:
    """The number of values in a column without lists: one that differs from the number of rows, if there is any."""
    counts = {group.column(place).num_values for place in flat} - {group.num_rows}
    return int(min(counts, default=group.num_rows))


def rows_of(batch: Any) -> list[dict[str, Any]]:
    """The rows of a batch. A value that Python cannot hold is None."""
    columns = [_held(column) for column in batch.columns]
    return [
        {name: column[row] for name, column in zip(batch.schema.names, columns, strict=True)}
        for row in range(batch.num_rows)
    ]


def _held(column: Any) -> list[Any]:
    try:
        values: list[Any] = column.to_pylist()
    except _OF_A_VALUE:
        return [_value(column, row) for row in range(len(column))]
    return values


def _value(column: Any, row: int) -> Any:
    try:
        return column[row].as_py()
    except _OF_A_VALUE:
        return None
