"""Shards of documents as Parquet files, made of finished shards of lines. Needs pyarrow, of the extra `documents`."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import zstandard

from tuili.files import whole_file

ROW_GROUP, GROUP_BYTES = 1000, 2**24
"""Rows of a group and bytes of their lines, at most: what a reader of the file takes into memory at a time."""
FIELDS = ("text", "id", "place", "kind", "metadata", "measures")
"""The columns, all of them text; the last two hold JSON."""


def to_parquet(shard: Path, folder: Path) -> None:
    """Write the documents of a shard of lines, `part-00000.jsonl.zst`, into a folder as `part-00000.parquet`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([(name, pa.large_string() if name == "text" else pa.string()) for name in FIELDS])
    target = folder / f"{shard.name.partition('.')[0]}.parquet"
    decompressor = zstandard.ZstdDecompressor()
    with whole_file(target) as part, shard.open("rb") as raw:
        lines = io.BufferedReader(decompressor.stream_reader(raw, read_across_frames=True))
        with pq.ParquetWriter(part, schema, compression="zstd") as writer:
            for rows in _groups(lines):
                writer.write_table(pa.Table.from_pylist(rows, schema))


def _groups(lines: Iterable[bytes]) -> Iterator[list[dict[str, str]]]:
    rows, size = list[dict[str, str]](), 0
    for line in lines:
        if rows and (len(rows) == ROW_GROUP or size + len(line) > GROUP_BYTES):
            yield rows
            rows, size = [], 0
        rows.append(_row(json.loads(line)))
        size += len(line)
    if rows:
        yield rows


def _row(document: dict[str, Any]) -> dict[str, str]:
    row = {name: document[name] for name in FIELDS[:4]}
    for name in FIELDS[4:]:
        row[name] = json.dumps(document.get(name, {}), ensure_ascii=False)
    return row
