"""Checks the lines of a file of questions: reads each one and checks its steps, and names what cannot be used.

`tuili.data` reads the lines, and `questions` decides which questions are taught.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuili.data import ImportOutcome, ReadQuestion, Record, kinds_of, read_questions
from tuili.errors import InputError, PromptError, RecordError
from tuili.eval import Comparison
from tuili.steps import Context, Status, Turns, check_chain, read_turns

MIN_QUESTIONS, MIN_CHECKED = 60, 40
"""The fewest questions in all, and with steps that check, that an adaptation needs."""
MIN_KINDS = 10
"""The fewest kinds of questions. Kinds differ in more than their numbers; a variant has the kind of its original."""
SHOWN_LINES, SHOWN_FAULTS = 3, 5
"""How many lines are named for each reason, and how many wrong steps are shown."""
Encode = Callable[[Turns], Sequence[int]]
"""Encodes a question as the token ids of a model's prompt. Raises `PromptError` for one that it cannot read."""


@dataclass(frozen=True)
class CheckedFile:
    """What a file holds.

    questions: those that are asked, and are taught if their steps check. refuted: those with a wrong step, whose
    answers nobody should trust. repeated: the number of lines that repeat a question of another line.
    """

    path: Path
    questions: list[ReadQuestion]
    refuted: list[ReadQuestion]
    repeated: int

    def described(self) -> dict[str, Any]:
        """The numbers of questions, and the results for steps: counts by reason, first lines of each, wrong steps."""
        lines = dict[str, list[int]]()
        for one in self.questions:
            if not is_checked(one):
                lines.setdefault(str(one.outcome), []).append(one.line)
        return {
            "questions": len(self.questions),
            "checked": sum(map(is_checked, self.questions)),
            "kinds": count_kinds([one.record for one in self.questions]),
            "outcomes": dict(Counter(str(one.outcome) for one in self.questions).most_common()),
            "lines": {why: found[:SHOWN_LINES] for why, found in lines.items()},
            "refuted": len(self.refuted),
            "faults": [f"{self.path.name}:{_fault(one)}" for one in self.refuted[:SHOWN_FAULTS]],
            "repeated": self.repeated,
        }


def check_questions(path: Path, form: Any, encode: Encode) -> CheckedFile:
    """Read a file. Of lines with the same question one is kept, if possible one with steps that check.

    Raises `RecordError`, with file and line, for a line that is not a question or that an adaptation cannot use, and
    `InputError` if there are too few.
    """
    kept, ids, repeated = dict[str, ReadQuestion](), dict[str, ReadQuestion](), 0
    for read in read_questions(path, form):
        place, record = f"{path}:{read.line}", read.record
        _refuse_unfit(place, record, encode)
        namesake = ids.setdefault(record.id, read)
        if namesake.record.input != record.input:
            raise RecordError(
                f"{place}: id {record.id!r} is that of line {namesake.line}, too: give each its own or none"
            )
        first = kept.setdefault(record.input, read)
        if first is read:
            continue
        repeated += 1
        if not _same(first.record.output, record.output):
            raise RecordError(
                f"{place}: the question of line {first.line} again, and the answer is {record.output[:40]!r}, not "
                f"{first.record.output[:40]!r}: give it one answer"
            )
        if _worth(read) > _worth(first):
            kept[record.input] = read
    asked = [one for one in kept.values() if one.outcome is not ImportOutcome.WRONG]
    refuted = [one for one in kept.values() if one.outcome is ImportOutcome.WRONG]
    checked = CheckedFile(path, asked, refuted, repeated)
    _refuse_too_few(checked)
    return checked


def is_checked(question: ReadQuestion) -> bool:
    """Whether the steps of a question may be taught."""
    return question.outcome is ImportOutcome.CHECKED


def count_kinds(records: Sequence[Record]) -> int:
    """How many kinds of questions these are."""
    return len(set(kinds_of(records)))


def _refuse_unfit(place: str, record: Record, encode: Encode) -> None:
    if record.messages:
        raise RecordError(f"{place}: has earlier turns, and a model is adapted to single questions: leave them out")
    if record.is_held_out:
        raise RecordError(f"{place}: {record.id} is a generated problem that is never trained on: leave it out")
    if fault := record.program_fault:
        raise RecordError(f"{place}: the output is not right by its specification: {fault}")
    try:
        encode(record.turns)
    except PromptError as error:
        raise RecordError(f"{place}: {error}") from error


def _same(answer: str, other: str) -> bool:
    return Comparison.VALUE.is_right(answer, other) or Comparison.VALUE.is_right(other, answer)


def _worth(question: ReadQuestion) -> int:
    """Of two lines with the same question, the one with the larger worth is kept, or the first if they are equal."""
    return 2 if is_checked(question) else int(question.outcome is not ImportOutcome.WRONG)


def _fault(question: ReadQuestion) -> str:
    """The line of a question, its first wrong step, why that is wrong and what is right."""
    verdicts = check_chain(question.steps, Context.from_prompt(*read_turns(*question.record.turns)))
    for number, (step, verdict) in enumerate(zip(question.steps, verdicts, strict=True), start=1):
        if verdict.status is Status.INVALID:
            right = f"; right: {verdict.expected}" if verdict.expected else ""
            return f"{question.line}: step {number} {step!r} is wrong: {verdict.reason}{right}"
    return f"{question.line}: {question.outcome}"


def _refuse_too_few(file: CheckedFile) -> None:
    path, questions, wrong = file.path, file.questions, ""
    if file.refuted:
        wrong = f"; {len(file.refuted)} more have a wrong step, first in line {_fault(file.refuted[0])}"
    if len(questions) < MIN_QUESTIONS:
        raise InputError(
            f"{path} has {len(questions)} questions{wrong}: at least {MIN_QUESTIONS} are needed, 300 are better: a "
            "fifth calibrates and a fifth tests"
        )
    checked = sum(map(is_checked, questions))
    if checked < MIN_CHECKED:
        faults = Counter(str(one.outcome) for one in questions if not is_checked(one))
        told = ", ".join(f"{count}: {why}" for why, count in faults.most_common())
        raise InputError(
            f"{path}: {checked} of {len(questions)} questions have steps that check ({told}){wrong}: at least "
            f'{MIN_CHECKED} are needed; write steps as in {{"input": "…", "output": "12", "steps": ["3 * 4 = 12"]}}'
        )
    kinds = count_kinds([one.record for one in questions])
    if kinds < MIN_KINDS:
        raise InputError(
            f"{path}: numbers and variants aside, its questions are {kinds} different ones: at least {MIN_KINDS} are "
            "needed, so that those of the test are others than those that are taught"
        )
