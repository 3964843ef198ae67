"""Converts finished shards of lines to Parquet. Needs pyarrow, from the extra `documents`."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import zstandard

from tuili.files import whole_file

ROW_GROUP, GROUP_BYTES = 1000, 2**24
"""The maximum rows of a group and bytes of their lines, which a reader takes into memory at a time."""
TEXTS, JSON = ("text", "id", "place", "kind"), ("metadata", "measures", "record")
"""The columns, all of type string. The latter hold JSON, or null if a document has no such value."""

Row = dict[str, str | None]


def to_parquet(shard: Path, folder: Path) -> None:
    """Write the documents of a shard of lines, `part-00000.jsonl.zst`, into a folder as `part-00000.parquet`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([(name, pa.large_string() if name == "text" else pa.string()) for name in TEXTS + JSON])
    target = folder / f"{shard.name.partition('.')[0]}.parquet"
    decompressor = zstandard.ZstdDecompressor()
    with whole_file(target) as part, shard.open("rb") as raw:
        lines = io.BufferedReader(decompressor.stream_reader(raw, read_across_frames=True))
        with pq.ParquetWriter(part, schema, compression="zstd") as writer:
            for rows in _groups(lines):
                writer.write_table(pa.Table.from_pylist(rows, schema))


def _groups(lines: Iterable[bytes]) -> Iterator[list[Row]]:
    rows, size = list[Row](), 0
    for line in lines:
        if rows and (len(rows) == ROW_GROUP or size + len(line) > GROUP_BYTES):
            yield rows
            rows, size = [], 0
        rows.append(_row(json.loads(line)))
        size += len(line)
    if rows:
        yield rows


def _row(document: dict[str, Any]) -> Row:
    held = {name: json.dumps(document[name], ensure_ascii=False) for name in JSON if name in document}
    return {name: document[name] for name in TEXTS} | dict.fromkeys(JSON) | held
