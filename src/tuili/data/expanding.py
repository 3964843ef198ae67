"""Decompressed streams of files that are compressed with gzip or zstd.

Readers limit how much they take from such a stream.
"""

from __future__ import annotations

import gzip
import io
import zlib
from typing import Any, BinaryIO

import zstandard

Stream = BinaryIO | gzip.GzipFile | io.BufferedReader
CUT = (EOFError, zlib.error, zstandard.ZstdError)
"""Errors of a damaged or truncated file, in addition to the errors of the operating system and of gzip."""
_BLOCK = 2**20
_PIECE = 2**11
"""Compressed bytes that are read at a time: a decompression bomb of this size expands to 64 MiB."""
_MAX_WINDOW = 2**27


def expanded(name: str, raw: BinaryIO) -> Stream:
    """Decompress a file according to its name: `.gz`, `.zst`, or anything else for an uncompressed file."""
    if name.lower().endswith(".gz"):
        return gzip.open(raw)
    if name.lower().endswith(".zst"):
        return io.BufferedReader(_Zstd(raw), _BLOCK)
    return raw


class _Zstd(io.RawIOBase):
    """The decompressed frames of a file. The library's own stream ends without an error if the file is truncated."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw, self._context = raw, zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)
        self._frame: zstandard.ZstdDecompressionObj | None = None
        self._packed, self._expanded = b"", memoryview(b"")

    def readable(self) -> bool:
        """Always true."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with at most one decompressed piece; 0 at the end. Raises `EOFError` for a truncated frame."""
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
