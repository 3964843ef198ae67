"""Files that are compressed with gzip or zstd, as streams of what is in them.

How much that may be is left to readers.
"""

from __future__ import annotations

import gzip
import io
import zlib
from typing import Any, BinaryIO

import zstandard

Stream = BinaryIO | gzip.GzipFile | io.BufferedReader
CUT = (EOFError, zlib.error, zstandard.ZstdError)
"""Errors of a file that is damaged, or ends too early, beside those of the system and of gzip."""
_BLOCK = 2**20
_PIECE = 2**11
"""Bytes that are expanded at a time: those of a bomb become 64 MiB."""
_MAX_WINDOW = 2**27


def expanded(name: str, raw: BinaryIO) -> Stream:
    """What is in a file, whose name tells how it is compressed: `.gz`, `.zst` or another."""
    if name.lower().endswith(".gz"):
        return gzip.open(raw)
    if name.lower().endswith(".zst"):
        return io.BufferedReader(_Zstd(raw), _BLOCK)
    return raw


class _Zstd(io.RawIOBase):
    """The frames of a file, expanded. The library's own stream ends without an error where a file is cut short."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw, self._context = raw, zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)
        self._frame: zstandard.ZstdDecompressionObj | None = None
        self._packed, self._expanded = b"", memoryview(b"")

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer as far as one piece goes; 0 at the end. Raises `EOFError` where a frame has no end."""
        while not self._expanded:
            self._packed = self._packed or self._raw.read(_PIECE)
            if not self._packed:
                if self._frame:
                    raise EOFError("the file ends before its last frame does")
                return 0
            self._frame = self._frame or self._context.decompressobj()
            self._expanded = memoryview(self._frame.decompress(self._packed))
            self._packed = self._frame.unused_data if self._frame.eof else b""
            if self._frame.eof:
                self._frame = None
        size = min(len(buffer), len(self._expanded))
        buffer[:size], self._expanded = self._expanded[:size], self._expanded[size:]
        return size
