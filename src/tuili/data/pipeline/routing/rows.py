"""Questions that are rows: records, GSM8K, equations in prefix notation, and questions with an answer in words.

The text of a row's document is the question; the other fields are metadata.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuili.data.pipeline.document import Document
from tuili.data.pipeline.routing.equations import count_equalities, worked_steps
from tuili.data.pipeline.routing.extraction import Question, can_be_checked
from tuili.data.pipeline.routing.problems import MAX_QUESTION, plain_answer
from tuili.data.readers.gsm8k import read_gsm8k
from tuili.data.readers.mwp import read_mwp
from tuili.data.readers.read_question import ImportOutcome, Place, ReadQuestion
from tuili.data.records import Record
from tuili.steps import THINK

MAX_ROW = 20_000
"""The maximum characters of a question in its own form; anything longer is a text."""
NEEDED = (
    "article", "background", "choices", "context", "document", "image", "images", "options", "paragraph", "passage",
    "premise", "story", "table",
)  # fmt: skip
"""Fields without which a question often cannot be answered: a row with one of them is not taken as a question."""
_ROW_OF_DATASET = re.compile(r"(.+)#[^#/:=]+=\d+")
_GSM8K = re.compile(r"^#### *[-+$€£¥]?[0-9.][^\n]*\s*\Z", re.MULTILINE)


def question_of_row(document: Document) -> Question | None:
    """The question of a row; None for any other document.

    Raises `RecordError` for a row that has the fields of a form, but with wrong contents.
    """
    if len(document.text) > MAX_ROW:
        return None
    if document.record is not None:
        return Question(document.record)
    if "question" in document.metadata or any(document.metadata.get(name) for name in NEEDED):
        return None  # the text is not a question, or not all of it
    row, own, output = document.metadata | {"question": document.text}, dict[str, Any](), ""
    if "output" in row and "input" not in document.metadata:
        own = {key: value for key, value in row.items() if key in Record.model_fields and value is not None}
        if not _is_worked(own):
            return Question(_fields(document) | own | {"input": document.text}, equalities=_unread(own))
        output = own.pop("output")
        row = {"question": document.text, "answer": output}
    if "equation" in row and "answer" in row:
        read = read_mwp(_place(document), row)
        return Question(_read(document, read), read.steps, str(row["equation"]).strip(), read.value)
    answer, solution = row.get("answer"), row.get("solution")
    if isinstance(answer, str) and _GSM8K.search(answer):
        read = read_gsm8k(_place(document), row)
        if read.outcome is ImportOutcome.NO_CALCULATION:
            return _question(_read(document, read) | own, read.prose)
        return Question(_read(document, read) | own, read.steps)
    parts = {name: text for name, text in (("solution", solution), ("answer", answer)) if isinstance(text, str)}
    worked = "\n".join(parts.values())
    steps = worked_steps(worked)
    told = plain_answer(parts, steps)
    checkable = told and len(document.text) <= MAX_QUESTION and can_be_checked(document.text, told, steps)
    if not (checkable or output):
        return None
    return _question(_fields(document) | own | {"input": document.text, "output": told or output}, worked)


def _is_worked(record: Mapping[str, Any]) -> bool:
    """Whether a row's output is a solution with calculations, and not a bare answer, a whole response or a program."""
    output = _in_words(record)
    return bool(worked_steps(output)) or _GSM8K.search(output) is not None


def _unread(record: Mapping[str, Any]) -> int:
    """The apparent number of calculations in an output of which none could be read."""
    return count_equalities(_in_words(record))


def _in_words(record: Mapping[str, Any]) -> str:
    """The output of a row; empty if its steps are separate, in `<think>` or `steps`, or if it is a program."""
    output = record.get("output")
    apart = record.get("steps") or record.get("specification") or str(output).lstrip().startswith(THINK)
    return output if isinstance(output, str) and not apart else ""


def _question(fields: dict[str, Any], worked: str) -> Question:
    """A question whose steps are the calculations in its worked solution."""
    return Question(fields, worked_steps(worked), equalities=count_equalities(worked))


def source_of(document: Document) -> str:
    """The name of the input that a document comes from; for a dataset of the hub, including its owner."""
    if of_dataset := _ROW_OF_DATASET.fullmatch(document.place):
        return of_dataset[1]
    return re.split(r"[/:]|#group=", document.place, maxsplit=1)[0]


def _fields(document: Document) -> dict[str, Any]:
    return {"source": source_of(document), "id": document.id}


def _read(document: Document, read: ReadQuestion) -> dict[str, Any]:
    """The fields of a question from a reader; its steps are checked again."""
    record = read.record
    return _fields(document) | {"input": record.input, "output": record.output, "source": record.source}


def _place(document: Document) -> Place:
    file, _, line = document.place.rpartition(":")
    return Place(Path(file), int(line)) if line.isdecimal() else Place(Path(document.place), 1)
