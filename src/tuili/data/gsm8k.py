"""Imports GSM8K: its calculations `<<48/2=24>>` become checked steps, its last line `#### 72` becomes the answer.

Every item is yielded, with an outcome that says whether it may be used: every calculation must be valid, and one must
give the answer. Records and their files are left to `records`. The format: Cobbe et al., "Training Verifiers to Solve
Math Word Problems", 2021 (arXiv:2110.14168).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from pathlib import Path

from tuili.data.records import Record
from tuili.errors import RecordError
from tuili.steps import Status, Verdict, check_chain, parse, render
from tuili.tasks import LEVELS

DOMAIN = "word_problems"
_CALCULATION = re.compile(r"<<(.*?)>>")
_ANSWER = re.compile(r"^#### *(.+)$", re.MULTILINE)
_NUMBER = re.compile(r"-?[0-9]{1,40}(?:\.[0-9]{1,40})?")
_SPELLING = (
    (re.compile(r"(?<![0-9])\.(?=[0-9])"), "0."),  # .5
    (re.compile(r"(?<=[0-9])\.(?![0-9])"), ""),  # 5.
    (re.compile(r"(^|[-+*/=(])\+"), r"\1"),  # a sign that changes nothing
    (re.compile(r"//|[-+*/=()]"), r" \g<0> "),
)


class ImportOutcome(StrEnum):
    """Whether an item may be used, or the first reason against it. The values are texts for users."""

    CHECKED = "every calculation is valid and one gives the answer"
    NO_RESULT = "no calculation gives the answer"
    NO_CALCULATION = "no calculation is written out"
    ROUNDED = "a result is rounded"
    WRONG = "a result is wrong"
    UNDECIDED = "a calculation cannot be decided"


@dataclass(frozen=True)
class Gsm8kItem:
    """A question of GSM8K, with its calculations as steps in canonical printing and the checker's verdict on each."""

    line: int
    question: str
    steps: tuple[str, ...]
    answer: str
    verdicts: tuple[Verdict, ...]

    @property
    def outcome(self) -> ImportOutcome:
        """The outcome that follows from the verdicts."""
        if not self.steps:
            return ImportOutcome.NO_CALCULATION
        for step, verdict in zip(self.steps, self.verdicts, strict=True):
            if verdict.status is Status.INVALID:
                return ImportOutcome.ROUNDED if _is_rounded(step, verdict) else ImportOutcome.WRONG
            if verdict.status is not Status.VALID:
                return ImportOutcome.UNDECIDED
        results = (_number(str(verdict.witness.get("value"))) for verdict in self.verdicts)
        return ImportOutcome.CHECKED if _number(self.answer) in results else ImportOutcome.NO_RESULT

    @property
    def record(self) -> Record:
        """The item as a record. Its level is the number of its steps, between the lowest and the highest level."""
        return Record(
            input=self.question,
            output=self.answer,
            domain=DOMAIN,
            level=max(LEVELS[0], min(len(self.steps), LEVELS[-1])),
            steps=self.steps,
            source="gsm8k",
            id=f"gsm8k/{self.line}",
        )


def import_gsm8k(path: str | Path) -> Iterator[Gsm8kItem]:
    """Yield the items of a GSM8K file (`train.jsonl`, `test.jsonl`) in order, with those that may not be used.

    Raises `RecordError` for a file that cannot be read and at the first line that is not in the format.
    """
    try:
        with Path(path).open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield _item(f"{path}:{number}", number, line)
    except (OSError, UnicodeDecodeError) as error:
        raise RecordError(f"{path} cannot be read as text: {error}; give a GSM8K file in JSONL") from error


def count_outcomes(items: Iterable[Gsm8kItem]) -> Counter[ImportOutcome]:
    """The number of items for each outcome."""
    return Counter(item.outcome for item in items)


def _item(where: str, number: int, line: str) -> Gsm8kItem:
    try:
        fields = json.loads(line)
        question, solution = fields["question"].strip(), fields["answer"]
        (question + solution).encode()
        answer = _ANSWER.findall(solution)[-1].replace(",", "").strip()
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise RecordError(f'{where}: not an item of GSM8K: write {{"question": "…", "answer": "… #### 72"}}') from error
    if not question:
        raise RecordError(f"{where}: the question is empty: it must hold text")
    if not _NUMBER.fullmatch(answer):
        raise RecordError(
            f"{where}: the answer after #### is {answer[:50]!r}: it must be a number of at most 40 digits"
        )
    steps = tuple(map(_step, filter(str.strip, _CALCULATION.findall(solution))))
    return Gsm8kItem(number, question, steps, answer, tuple(check_chain(steps)))


def _step(calculation: str) -> str:
    """A calculation in canonical printing: `48/2=24` becomes `48 / 2 = 24`, `.5*8=4` becomes `0.5 * 8 = 4`."""
    for pattern, replacement in _SPELLING:
        calculation = pattern.sub(replacement, calculation)
    return render(parse(calculation))


def _is_rounded(step: str, verdict: Verdict) -> bool:
    """Whether a wrong result is the right one, rounded up, down or to the nearest number with as many digits."""
    written = step.rpartition("= ")[2]
    if verdict.expected is None or not _NUMBER.fullmatch(written):
        return False
    last_digit = Fraction(1, 10 ** len(written.partition(".")[2]))
    return abs(Fraction(written) - Fraction(verdict.expected)) < last_digit


def _number(text: str) -> Fraction | None:
    return Fraction(text) if _NUMBER.fullmatch(text) else None
