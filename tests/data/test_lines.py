"""Lines of files as hostile hands write them: each is refused in one line, with its place."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
import zstandard

from tuili.data.lines import MAX_DIGITS, MAX_LINE, numbered_lines, read_json
from tuili.errors import RecordError


def test_a_line_without_an_end_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    """A sparse file of a terabyte."""
    path = tmp_path / "long.jsonl"
    with path.open("wb") as file:
        file.write(b'{"input": "1"}\n\n')
        file.truncate(2**40)
    lines = numbered_lines(path)
    assert next(lines) == (1, b'{"input": "1"}\n')
    with pytest.raises(RecordError, match=f"^{path}:3: longer than 16 MiB"):
        next(lines)


def test_a_line_of_the_longest_length_is_read(tmp_path: Path) -> None:
    path = tmp_path / "longest.jsonl"
    path.write_bytes(b" \n" + b"1" * (MAX_LINE - 1) + b"\n2")
    assert [(number, len(line)) for number, line in numbered_lines(path)] == [(2, MAX_LINE), (3, 1)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"level": NaN}', "NaN is no number"),
        (b'{"level": -Infinity}', "-Infinity is no number"),
        (b'{"level": %s}' % (b"9" * 10_000), "a number has 10000 digits"),
        (b'{"id": "\\uD83d"}', "half of a character"),
        (b'{"\\udc00": 1}', "half of a character"),
        (b'{"a": 1, "a": 2}', "a key stands there twice"),
        (b"[" * 100_000, "recursion"),
        (b'{"a": "\xff"}', "byte 7 is not UTF-8"),
        (b'{"a": 1', "not a JSON object"),
    ],
)
def test_what_is_no_json_has_a_reason(line: bytes, reason: str) -> None:
    with pytest.raises(RecordError, match=reason) as caught:
        read_json("mine.jsonl:7", line, "{}")
    assert str(caught.value).startswith("mine.jsonl:7: ")
    assert "\n" not in str(caught.value)


def test_whole_characters_in_two_halves_and_long_numbers_are_read() -> None:
    assert read_json("", b'{"id": "\\ud83d\\ude00", "n": %s}' % (b"9" * MAX_DIGITS), "") == {
        "id": "😀",
        "n": int("9" * MAX_DIGITS),
    }


def test_parquet_is_told_as_such(tmp_path: Path) -> None:
    """The first bytes of a table, as pyarrow writes them."""
    path = tmp_path / "rows.parquet"
    path.write_bytes(b"PAR1\x15\x04\x15\xff\x00PAR1")
    with pytest.raises(RecordError, match=f"^{path} is Parquet: give a JSONL file$"):
        next(numbered_lines(path))


@pytest.mark.parametrize("name", ["lines.jsonl.gz", "lines.jsonl.zst"])
def test_lines_of_a_compressed_file_are_read_and_a_cut_one_is_told(tmp_path: Path, name: str) -> None:
    compress = gzip.compress if name.endswith("gz") else zstandard.ZstdCompressor().compress
    packed = compress(b"one\n\n" + b"two\n" * 1000)
    (tmp_path / name).write_bytes(packed)
    lines = list(numbered_lines(tmp_path / name))
    assert (len(lines), lines[0], lines[1]) == (1001, (1, b"one\n"), (3, b"two\n"))
    (tmp_path / name).write_bytes(packed[:-5])
    with pytest.raises(RecordError, match=rf"{name}:\d+: .*compress it again"):
        list(numbered_lines(tmp_path / name))


def test_what_is_called_compressed_and_is_not_is_told(tmp_path: Path) -> None:
    for name in ("a.jsonl.gz", "a.jsonl.zst"):
        (tmp_path / name).write_bytes(b"{}\n")
        with pytest.raises(RecordError, match=r":1: .*compress it again"):
            list(numbered_lines(tmp_path / name))
