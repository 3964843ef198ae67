"""Reads a file of questions in any of the known forms, which the keys of its first line identify.

Each form has its own reader: `own`, `gsm8k`, `mwp`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args

from tuili.data.lines import numbered_lines, read_json
from tuili.data.readers import gsm8k, mwp, own
from tuili.data.readers.read_question import Place, ReadQuestion
from tuili.data.records import parse_record
from tuili.errors import RecordError

QuestionForm = Literal["records", "gsm8k", "mwp"]
"""The forms in which questions can be read."""
_EXAMPLES: dict[QuestionForm, str] = {"records": own.EXAMPLE, "gsm8k": gsm8k.EXAMPLE, "mwp": mwp.EXAMPLE}
QUESTION_FIELDS: dict[QuestionForm, str] = {"records": "input", "gsm8k": "question", "mwp": "question"}
"""The field that holds the question in each form."""


def read_questions(path: str | Path, form: Literal["auto"] | QuestionForm = "auto") -> Iterator[ReadQuestion]:
    """Yield every question of a file, in order, with the steps that may be used.

    form: `auto` for the form of the first line. Raises `RecordError`, with file and line, for a file that cannot be
    read or that holds no question, and at the first line that is bad or in another form.
    """
    path, known, count = Path(path), form, 0
    for number, line in numbered_lines(path):
        place = Place(path, number)
        expected = _EXAMPLES["records" if known == "auto" else known]
        fields = read_json(str(place), line, expected)
        seen = form_of(fields)
        if known == "auto":
            if seen is None:
                raise RecordError(f"{place}: in no known form: write {', or '.join(_EXAMPLES.values())}")
            known = seen
        elif seen not in (known, None) and form == "auto":
            raise RecordError(f"{place}: in the form of {seen}, and the lines before are in that of {known}: keep one")
        count += 1
        if known == "records":
            yield own.read_own(number, parse_record(path, number, line))
        elif not isinstance(fields, dict):
            raise RecordError(f"{place}: not a JSON object: write {expected}")
        elif known == "mwp":
            yield mwp.read_mwp(place, fields)
        else:
            yield (gsm8k.read_with_steps if "steps" in fields else gsm8k.read_gsm8k)(place, fields)
    if not count:
        raise RecordError(f"{path} holds no question: write one JSON object a line, {_EXAMPLES['records']}")


def question_form(path: str | Path) -> QuestionForm | None:
    """The form of a file's first line; None if the form is unknown. Raises `RecordError` as `read_questions` does."""
    for number, line in numbered_lines(Path(path)):
        return form_of(read_json(f"{path}:{number}", line, own.EXAMPLE))
    return None


def form_of(fields: object) -> QuestionForm | None:
    """The form of a line, identified by its keys; None if the form is unknown."""
    if not isinstance(fields, dict):
        return None
    if "input" in fields:
        return "records"
    if "question" in fields and "answer" in fields:
        return "mwp" if "equation" in fields else "gsm8k"
    return None


def instructed(fields: dict[str, Any]) -> str | None:
    """The question of a row with an `instruction`, perhaps followed by an `input`, as in Alpaca; else None."""
    instruction, given = fields.get("instruction"), fields.get("input") or ""
    if not isinstance(instruction, str) or not isinstance(given, str):
        return None
    return "\n".join(part for part in (instruction, given) if part.strip())


assert set(_EXAMPLES) == set(get_args(QuestionForm))
