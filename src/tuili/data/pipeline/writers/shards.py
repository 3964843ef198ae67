"""Shards of lines: files that grow by whole steps, so that a shard can be truncated to its last step after a kill.

A step is a separate zstd frame: the contents of a shard depend on the lines and the steps alone. `manifest` describes
the shards; `parquet` converts them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec
import zstandard

from tuili.errors import TuiliError
from tuili.files import flush


class ShardPosition(msgspec.Struct):
    """How far the shards of a folder are written."""

    shard: int = 0
    """The number of the shard being written."""
    documents: int = 0
    """The number of lines in it."""
    size: int = 0
    """The bytes of its lines before compression."""
    length: int = 0
    """The bytes of its file."""


class Shards:
    """The shards of a folder, `part-00000.jsonl.zst` and so on. The first lines of a shard create its file.

    Writing resumes at `position`: anything beyond is truncated.
    """

    def __init__(
        self,
        folder: Path,
        position: ShardPosition,
        *,
        documents: int,
        size: int,
        level: int,
        suffix: str = ".jsonl.zst",
    ) -> None:
        """documents, size: a shard ends with the step that reaches this number of lines or bytes. Raises `TuiliError`
        if a shard is shorter than it was.
        """
        self._folder, self._suffix = folder, suffix
        self.position = position
        self._documents, self._size = documents, size
        self._compressor = zstandard.ZstdCompressor(level, write_checksum=True) if suffix.endswith(".zst") else None
        folder.mkdir(parents=True, exist_ok=True)
        for path in self.paths():
            if int(path.name[5:10]) > position.shard:
                path.unlink()
        path = self._path(position.shard)
        if position.length > (path.stat().st_size if path.exists() else 0):
            raise TuiliError(f"{path} is shorter than when the build was left: remove its folder and begin anew")
        self._file: BinaryIO | None = None
        if position.length:
            self._file = path.open("r+b")
            self._file.truncate(position.length)
            self._file.seek(position.length)
        else:
            path.unlink(missing_ok=True)

    def paths(self) -> list[Path]:
        """The files of all shards, in order."""
        return sorted(self._folder.glob(f"part-?????{self._suffix}"))

    def append(self, lines: Sequence[bytes]) -> None:
        """Write the lines of a step, in a new shard if the last one is full."""
        if not lines:
            return
        at = self.position
        if at.documents >= self._documents or at.size >= self._size:
            self.close()
            self.position = at = ShardPosition(at.shard + 1)
        if not self._file:
            self._file = self._path(at.shard).open("wb")
            flush(self._folder)
        data = b"".join(lines)
        at.documents += len(lines)
        at.size += len(data)
        at.length += self._file.write(self._compressor.compress(data) if self._compressor else data)

    def flush(self) -> None:
        """Wait until everything appended is on the disk."""
        if self._file:
            self._file.flush()
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Flush and close the file. May be called again."""
        file, self._file = self._file, None
        if file:
            with file:
                file.flush()
                os.fsync(file.fileno())
            flush(self._folder)

    def _path(self, shard: int) -> Path:
        return self._folder / f"part-{shard:05}{self._suffix}"
