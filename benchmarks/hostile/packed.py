"""Hostile files of lines and of plain text: archives that expand without end, giant lines, other encodings."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from random import Random

import zstandard

from benchmarks.hostile.records import good_record, sentence

_MEMBER = 2**24
"""Bytes of a part of a bomb before compression. A file of such parts expands as one does, and is made at once."""


def bomb(path: Path, rng: Random, size: int) -> None:
    """An archive of `size` bytes of nothing: zeros, blanks, blank lines or brackets, in a line or in many."""
    unit = rng.choice((b"\0", b" ", b"\n", b" \n", b"[", b"7", b'{"text": "'))
    path.write_bytes(packed(path, unit * (_MEMBER // len(unit))) * (size // _MEMBER))


def bomb_in_a_text(path: Path, rng: Random, size: int) -> None:
    """A line that begins as a record does, and whose text has no end."""
    start = packed(path, b'{"text": "')
    path.write_bytes(start + packed(path, rng.choice((b"a", b"\0", b"a ")) * _MEMBER) * (size // _MEMBER))


def packed_twice(path: Path, rng: Random) -> None:
    """An archive in an archive, as nobody unpacks it."""
    inner = packed(path, good_record(rng) * 1000)
    path.write_bytes(packed(path, inner))


def cut_archive(path: Path, rng: Random) -> None:
    """The beginning of an archive."""
    whole = packed(path, b"".join(good_record(rng) + b"\n" for _ in range(50)))
    path.write_bytes(whole[: rng.randrange(len(whole) // 4, len(whole) - 9)])


def damaged_archive(path: Path, rng: Random) -> None:
    """An archive with a checksum that is not that of what it holds."""
    whole = bytearray(packed(path, b"".join(good_record(rng) + b"\n" for _ in range(50))))
    place = len(whole) - (8 if path.suffix == ".gz" else 4) + rng.randrange(4)
    whole[place] ^= 1 << rng.randrange(8)
    path.write_bytes(whole)


def no_archive(path: Path, rng: Random) -> None:
    """Something else by the name of an archive."""
    path.write_bytes(
        rng.choice((b"PK\x03\x04", b"", b"{", b"\x1f\x8b", b"\x28\xb5\x2f\xfd")) + rng.randbytes(rng.randrange(20, 99))
    )


def zstd_window(path: Path, rng: Random) -> None:
    """A frame that wants a window of gigabytes, or says that it holds exabytes."""
    if rng.random() < 0.5:
        head = bytes([0x00, rng.randrange(0xA8, 0xFF)])  # window descriptor: 2^31 bytes and more
    else:
        head = bytes([0xE0]) + rng.randrange(2**50, 2**63).to_bytes(8, "little")  # one segment of that size
    path.write_bytes(b"\x28\xb5\x2f\xfd" + head + b"\x01\x00\x00")


def giant_line(path: Path, rng: Random, size: int) -> None:
    """A line of `size` bytes that takes none on the disk."""
    with path.open("wb") as file:
        file.write(rng.choice((b"", b'{"text": "', b"[" * 1000)))
        os.ftruncate(file.fileno(), size)


def giant_file(path: Path, rng: Random, size: int) -> None:
    """The same for formats of which a file is a document: it is larger than any may be."""
    with path.open("wb") as file:
        file.write(rng.choice((b"%PDF-1.7\n", b"<html>", b"text")))
        os.ftruncate(file.fileno(), size)


def other_encoding(path: Path, rng: Random) -> None:
    """Text in an encoding that was not named."""
    text, encodings = rng.choice(
        (
            ("机器学习的方法比较简单。", ("gb18030", "gbk", "big5", "utf-16-le", "utf-32-be")),
            ("日本語の文章です。", ("shift_jis", "euc_jp")),
            ("Ein schöner Tag für alle, die müde sind: ", ("latin-1", "cp437", "mac_roman")),
            ("Съешь же ещё этих мягких булок. ", ("koi8-r", "cp1251")),
        )
    )
    encoding = rng.choice(encodings)
    path.write_bytes((text * rng.randrange(1, 50)).encode(encoding, "replace" if encoding == "big5" else "strict"))


def lines_in_other_encoding(path: Path, rng: Random) -> None:
    """Records in UTF-16 or UTF-32."""
    lines = "".join(good_record(rng).decode() + "\n" for _ in range(rng.randrange(1, 9)))
    path.write_bytes(lines.encode(rng.choice(("utf-16", "utf-16-le", "utf-16-be", "utf-32"))))


def noise(path: Path, rng: Random) -> None:
    """Bytes without a meaning."""
    path.write_bytes(b"\xff\xff\0" + rng.randbytes(rng.randrange(1, 5000)))


def blank(path: Path, rng: Random) -> None:
    """Nothing that shows."""
    path.write_text("".join(rng.choice(" \n\t\u2003\u3000") for _ in range(rng.randrange(0, 3000))))


def long_text(path: Path, rng: Random) -> None:
    """More characters than a document may have."""
    path.write_text(sentence(rng) * (2**22 // 30))


def blank_lines(path: Path, rng: Random) -> None:
    """A million blank lines and more, and nothing else."""
    path.write_bytes(rng.choice((b"\n", b" \n", b"\r\n")) * (10**6 + rng.randrange(1, 1000)))


def packed(path: Path, data: bytes) -> bytes:
    """Data as the name of the file says."""
    return (
        gzip.compress(data, mtime=0)
        if path.suffix == ".gz"
        else zstandard.ZstdCompressor(write_checksum=True).compress(data)
    )
