"""The result of every reader: a question as a record, and whether its steps may be used.

`gsm8k`, `mwp` and `own` read the individual forms.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from pathlib import Path

from tuili.data.records import Record, as_text
from tuili.errors import RecordError
from tuili.steps import Status, Verdict
from tuili.tasks import LEVELS

DOMAIN = "word_problems"
"""The domain of questions in third-party forms, which are word problems."""
DOUBLE_PRECISION = Fraction(1, 10**14)
"""The relative difference that computing in floating point may cause."""
_NUMBER = re.compile(r"-?[0-9]{1,40}(?:\.[0-9]{1,40})?")
_PRICE = re.compile(r"^(-?)[$€£] ?(?=[0-9])|(?<=[0-9]) ?[€£]$")
_GROUPED = re.compile(r"-?[0-9]{1,3}(?:,[0-9]{3}){1,12}(?:\.[0-9]{1,40})?")


@dataclass(frozen=True)
class Place:
    """A line of a file, given by its number."""

    path: Path
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


class ImportOutcome(StrEnum):
    """Whether the steps of a question may be used, or the first reason against it. The values are texts for users."""

    CHECKED = "every calculation is valid and one gives the answer"
    NO_RESULT = "no calculation gives the answer"
    NO_CALCULATION = "no calculation is written out"
    ROUNDED = "a result is rounded"
    WRONG = "a result is wrong"
    UNDECIDED = "a calculation cannot be decided"


@dataclass(frozen=True)
class ReadQuestion:
    """A question of a file. `line`: its line number.

    `record` always has question and answer. It has steps only if the outcome is `CHECKED`; `steps` has the steps of the
    file, whatever the outcome. `prose`: the answer in words, if the file has one. `value`: the result of the question's
    equation, if it has one and that does not divide by zero.
    """

    line: int
    record: Record
    outcome: ImportOutcome
    prose: str = ""
    steps: tuple[str, ...] = ()
    value: Fraction | None = None


def count_outcomes(questions: Iterable[ReadQuestion]) -> Counter[ImportOutcome]:
    """Count the questions by outcome."""
    return Counter(question.outcome for question in questions)


def fault_of(steps: Sequence[str], verdicts: Sequence[Verdict]) -> ImportOutcome | None:
    """The first reason why steps may not be used, whatever their result; None if all are valid."""
    if not steps:
        return ImportOutcome.NO_CALCULATION
    for step, verdict in zip(steps, verdicts, strict=True):
        if verdict.status is Status.INVALID:
            return ImportOutcome.ROUNDED if is_rounded(step, verdict) else ImportOutcome.WRONG
        if verdict.status is not Status.VALID:
            return ImportOutcome.UNDECIDED
    return None


def word_problem(
    place: Place, source: str, name: str, question: str, answer: str, steps: Sequence[str], outcome: ImportOutcome
) -> ReadQuestion:
    """Build a word problem from a third-party form. `name`: the part of its `id` before the line number."""
    record = Record(
        input=question,
        output=answer,
        domain=DOMAIN,
        level=level_of(len(steps)),
        steps=tuple(steps) if outcome is ImportOutcome.CHECKED else (),
        source=source,
        id=f"{name}/{place.line}",
    )
    return ReadQuestion(place.line, record, outcome, steps=tuple(steps))


def level_of(steps: int) -> int:
    """The level of a question with this number of steps: the same number, clipped to the lowest and highest level."""
    return max(LEVELS[0], min(steps, LEVELS[-1]))


def text_of(place: Place, fields: dict[str, object], key: str, example: str) -> str:
    """The stripped text of a key; an answer may also be a number. Raises `RecordError` if there is no text."""
    text = as_text(fields.get(key)) if key == "answer" else fields.get(key)
    if not isinstance(text, str):
        raise RecordError(f"{place}: {key} is no text: write {example}")
    if not text.strip():
        raise RecordError(f"{place}: {key} is empty: it must hold text")
    return text.strip()


def without_commas(number: str) -> str:
    """Remove the commas between thousands from a number; return a number with other commas unchanged."""
    return number.replace(",", "") if _GROUPED.fullmatch(number) else number


def bare_number(text: str) -> str:
    """Remove the commas between thousands and one currency sign from a number: `1250` for `$1,250`.

    Any other text is returned unchanged.
    """
    bare = without_commas(_PRICE.sub(r"\1", text))
    return bare if number_of(bare) is not None else text


def number_of(text: str) -> Fraction | None:
    """The value of a plain number; None for any other text."""
    return Fraction(text) if _NUMBER.fullmatch(text) else None


def is_rounded(step: str, verdict: Verdict) -> bool:
    """Whether a wrong result is the right one rounded up, down or to the nearest number with as many digits."""
    written = step.rpartition("= ")[2]
    if verdict.expected is None or not _NUMBER.fullmatch(written):
        return False
    try:
        right = Fraction(verdict.expected)
    except (ValueError, ZeroDivisionError):
        return False
    return rounds_to(written, right)


def rounds_to(written: str, exact: Fraction) -> bool:
    """Whether a plain number is an exact number rounded up, down or to the nearest with as many digits, or rounded by
    floating point."""
    value = number_of(written)
    if value is None:
        return False
    return abs(value - exact) < Fraction(1, 10 ** len(written.partition(".")[2])) or near(value, exact)


def near(value: Fraction, right: Fraction, share: Fraction = DOUBLE_PRECISION) -> bool:
    """Whether a value differs from the right one by at most this share of the right one."""
    return abs(value - right) <= share * abs(right)
