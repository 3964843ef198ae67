"""Numbered lines of JSONL files, and the JSON in them. `records` and `readers` check what the JSON holds."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tuili.data.expanding import CUT, expanded
from tuili.errors import EncodingError, RecordError, one_line

MAX_LINE = 2**24
"""The maximum number of bytes in a line. Without it, a file without newlines would fill the memory."""

MAX_DIGITS = 1000
"""The maximum number of digits in a number. Python itself refuses a few thousand."""

_PARQUET = b"PAR1\x15"
"""The first bytes of a Parquet file."""


def numbered_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the number and the bytes of each non-blank line of a file, which may be compressed with gzip or zstd.

    Raises `RecordError` for a file that cannot be read or is Parquet, and for a line of more than `MAX_LINE` bytes.
    """
    number = 0
    try:
        with path.open("rb") as raw, expanded(path.name, raw) as file:
            for number, line in enumerate(iter(lambda: file.readline(MAX_LINE + 1), b""), start=1):
                if number == 1 and line.startswith(_PARQUET):
                    raise RecordError(f"{path} is Parquet: give a JSONL file")
                if len(line) > MAX_LINE:
                    raise RecordError(f"{path}:{number}: longer than {MAX_LINE >> 20} MiB: write one question a line")
                if line.strip():
                    yield number, line
    except OSError as error:
        if error.errno:  # an error of the operating system has a number, an error of gzip has none
            raise RecordError(f"{path} cannot be read: {error.strerror}; give a JSONL file") from error
        raise RecordError(f"{path}:{number + 1}: {one_line(error)}: compress it again") from error
    except CUT as error:
        raise RecordError(f"{path}:{number + 1}: {one_line(error)}: compress it again") from error


def read_json(where: str, line: bytes, example: str) -> Any:
    """Parse the JSON of a line. `where`: its file and line number. `example`: a correct line.

    Raises `RecordError` for a line that is not JSON in UTF-8, or that contains a duplicate key, an unpaired surrogate,
    a number of more than `MAX_DIGITS` digits, a number beyond the range of floats, or a constant such as `NaN`.
    """
    try:
        read = json.loads(
            line.decode("utf-8-sig"),
            object_pairs_hook=_unique,
            parse_int=_integer,
            parse_float=_number,
            parse_constant=_no_number,
        )
        if b"\\ud" in line.lower():
            json.dumps(read, ensure_ascii=False).encode()
        return read
    except UnicodeDecodeError as error:
        raise EncodingError(f"{where}: byte {error.start} is not UTF-8: save the file as UTF-8") from error
    except UnicodeEncodeError as error:
        raise EncodingError(f"{where}: half of a character: save the file as UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise RecordError(f"{where}: not a JSON object ({error}): write {example}") from error


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a number has {len(digits)} digits")
    return int(digits)


def _number(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise ValueError(f"{digits[:20]} is beyond the range of numbers")
    return value


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("a key stands there twice")
    return fields
