"""The items of evaluation sets, as named texts: from files, and those that Tuili's own tests hold out.

`contamination` searches for them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tuili.data.lines import numbered_lines, read_json
from tuili.data.pipeline.readers.parquet import rows_of
from tuili.data.pipeline.readers.reader import needed
from tuili.data.readers.questions import instructed
from tuili.errors import RecordError, one_line
from tuili.tasks import BUILT_IN_DOMAINS, Language, Wording, in_every_form

QUESTION_FIELDS, OTHER_FIELDS = ("question", "prompt", "problem"), ("input", "query", "text")
"""The fields that may hold an item's question. The first non-blank one counts; an instruction precedes the latter."""
OWN_SET = "tuili"
_EXAMPLE = '{"question": "…"}'
_LINES, _TEXTS, _PARQUET = (".jsonl", ".ndjson"), (".txt", ".text"), ".parquet"
_ROWS = 1024
"""The number of rows of a Parquet file that are read at a time."""
_SEED, _LEVELS = 0, (1, 2)
"""The contents matter little, and higher levels are slow to generate."""


class EvaluationItem(NamedTuple):
    """A question of an evaluation set."""

    name: str
    """Its set and its place in the set, such as `gsm8k-test.jsonl:17`."""
    text: str

    @property
    def set_name(self) -> str:
        """The name of its set: a file, or `tuili` for Tuili's own tests."""
        return self.name.rpartition(":")[0] or OWN_SET


def own_items() -> Iterator[EvaluationItem]:
    """Yield a problem of each low level in every form that is never trained on, in all domains and languages."""
    for domain in BUILT_IN_DOMAINS:
        for language in Language:
            for level in _LEVELS:
                for problem in in_every_form(domain, _SEED, level, wording=Wording.UNSEEN, language=language):
                    yield EvaluationItem(f"{OWN_SET}/{domain}/{level}/{problem.form}", problem.prompt)


def file_items(path: Path) -> Iterator[EvaluationItem]:
    """Yield the questions of a file: one for each line of JSONL, row of Parquet, or line of plain text.

    Raises `RecordError` for a file that cannot be read or has no question, and for a line or row without a question,
    and `InputError` for Parquet if pyarrow is not installed.
    """
    name = re.sub(r"\.(?:gz|zst)$", "", path.name.lower())
    if name.endswith(_PARQUET):
        texts = _of_rows(path)
    elif name.endswith(_LINES):
        texts = _of_lines(path)
    elif name.endswith(_TEXTS):
        texts = ((number, _decoded(path, number, line)) for number, line in numbered_lines(path))
    else:
        raise RecordError(
            f"{path}: its name should end in .jsonl, with {_EXAMPLE} a line, or in .txt, with a text a line, "
            "and perhaps .gz or .zst behind that; or in .parquet, with a column question"
        )
    number = 0
    for number, text in texts:
        yield EvaluationItem(f"{path.name}:{number}", text)
    if not number:
        raise RecordError(f"{path} holds no question: write one a line, {_EXAMPLE}")


def _of_lines(path: Path) -> Iterator[tuple[int, str]]:
    for number, line in numbered_lines(path):
        place = f"{path}:{number}"
        for text in _questions(place, read_json(place, line, _EXAMPLE)):
            yield number, text


def _of_rows(path: Path) -> Iterator[tuple[int, str]]:
    for number, row in enumerate(_rows(path), start=1):
        for text in _questions(f"{path}, row {number}", row):
            yield number, text


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    needed("pyarrow", "Parquet")
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(path) as file:
            for batch in file.iter_batches(_ROWS):
                yield from rows_of(batch)
    except (ArrowException, OSError, ValueError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else one_line(error)
        raise RecordError(f"{path} cannot be read: {reason}; give a Parquet file with a column question") from error


def _decoded(path: Path, number: int, line: bytes) -> str:
    try:
        return line.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecordError(f"{path}:{number}: byte {error.start} is not UTF-8: save the file as UTF-8") from error


def _questions(place: str, fields: Any) -> list[str]:
    if isinstance(fields, dict):
        texts = [*map(fields.get, QUESTION_FIELDS), instructed(fields), *map(fields.get, OTHER_FIELDS)]
        if asked := next(filter(_is_told, texts), None):
            return [asked]
        if isinstance(turns := fields.get("messages"), list):
            users = [turn for turn in turns if isinstance(turn, dict) and turn.get("role") == "user"]
            if said := [turn["content"] for turn in users if _is_told(turn.get("content"))]:
                return said
    known = ", ".join((*QUESTION_FIELDS, "instruction", *OTHER_FIELDS))
    raise RecordError(f"{place}: no question in it: write it as a text under one of {known}")


def _is_told(text: object) -> bool:
    return isinstance(text, str) and bool(text.strip())
