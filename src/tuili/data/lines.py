"""Lines of JSONL files with their numbers, and the JSON in them. What the JSON must hold is left to `records` and
`readers`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tuili.errors import RecordError


def numbered_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines of a file that are not blank, with their numbers.

    Raises `RecordError` for a file that cannot be read.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, line
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror}; give a JSONL file") from error


def read_json(where: str, line: bytes, example: str) -> Any:
    """The JSON of a line. `where`: its file and number. `example`: a line as it should be.

    Raises `RecordError` for a line that is no JSON in UTF-8, or that has a key twice.
    """
    try:
        return json.loads(line.decode("utf-8-sig"), object_pairs_hook=_unique)
    except UnicodeDecodeError as error:
        raise RecordError(f"{where}: byte {error.start} is not UTF-8: save the file as UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise RecordError(f"{where}: not a JSON object ({error}): write {example}") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("a key stands there twice")
    return fields
