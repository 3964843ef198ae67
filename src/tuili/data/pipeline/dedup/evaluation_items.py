"""The items of evaluation sets, as texts with a name each: of files, and those that Tuili's own tests hold out.

How they are looked for is left to `contamination`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tuili.data.lines import numbered_lines, read_json
from tuili.data.readers.questions import instructed
from tuili.errors import RecordError
from tuili.tasks import BUILT_IN_DOMAINS, Language, Wording, in_every_form

QUESTION_FIELDS, OTHER_FIELDS = ("question", "prompt", "problem"), ("input", "query", "text")
"""The fields that hold the question of an item: the first that is not blank, and before the latter an instruction."""
OWN_SET = "tuili"
_EXAMPLE = '{"question": "…"}'
_LINES, _TEXTS = (".jsonl", ".ndjson"), (".txt", ".text")
_SEED, _LEVELS = 0, (1, 2)
"""Contents matter little, and higher levels take long to make."""


class EvaluationItem(NamedTuple):
    """A question of an evaluation set."""

    name: str
    """Its set and its place there, such as `gsm8k-test.jsonl:17`."""
    text: str

    @property
    def set_name(self) -> str:
        """The name of its set: a file, or `tuili` for Tuili's own tests."""
        return self.name.rpartition(":")[0] or OWN_SET


def own_items() -> Iterator[EvaluationItem]:
    """A problem of each low level in every form that is never trained on, in all domains and languages."""
    for domain in BUILT_IN_DOMAINS:
        for language in Language:
            for level in _LEVELS:
                for problem in in_every_form(domain, _SEED, level, wording=Wording.UNSEEN, language=language):
                    yield EvaluationItem(f"{OWN_SET}/{domain}/{level}/{problem.form}", problem.prompt)


def file_items(path: Path) -> Iterator[EvaluationItem]:
    """The questions of a file: of each line of JSONL, or each line of a plain text.

    Raises `RecordError` for a file that cannot be read or has no question, and for a line that is none.
    """
    name = re.sub(r"\.(?:gz|zst)$", "", path.name.lower())
    if not name.endswith((*_LINES, *_TEXTS)):
        raise RecordError(
            f"{path}: its name should end in .jsonl, with {_EXAMPLE} a line, or in .txt, with a text a line, "
            "and perhaps .gz or .zst"
        )
    count = 0
    for number, line in numbered_lines(path):
        lines = name.endswith(_LINES)
        for text in _questions(f"{path}:{number}", line) if lines else [_decoded(path, number, line)]:
            count += 1
            yield EvaluationItem(f"{path.name}:{number}", text)
    if not count:
        raise RecordError(f"{path} holds no question: write one a line, {_EXAMPLE}")


def _decoded(path: Path, number: int, line: bytes) -> str:
    try:
        return line.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecordError(f"{path}:{number}: byte {error.start} is not UTF-8: save the file as UTF-8") from error


def _questions(place: str, line: bytes) -> list[str]:
    fields: Any = read_json(place, line, _EXAMPLE)
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
