"""The questions of an adaptation: every line is checked, and they are split into those that are taught, those that
calibrate, and those that test.

How a line is read is left to `tuili.data`, variants of questions to `variants`.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from tuili.data import (
    MULTIPLIED_SOURCE,
    ImportOutcome,
    ReadQuestion,
    Record,
    masked_question,
    original_id,
    read_questions,
    read_records,
    write_records,
)
from tuili.errors import InputError, PromptError, RecordError
from tuili.steps import Turns

MIN_QUESTIONS, MIN_CHECKED = 60, 40
"""Questions in all, and those with steps that check, that an adaptation needs at least."""
MIN_KINDS = 10
"""Questions that differ in more than their numbers."""
Part = Literal["teach", "calibrate", "test"]
PARTS: tuple[Part, ...] = get_args(Part)
SHARES: Mapping[Part, float] = {"teach": 0.6, "calibrate": 0.2, "test": 0.2}
Encode = Callable[[Turns], Sequence[int]]
"""A question as the token ids of a model's prompt. Raises `PromptError` for one that it cannot read."""


@dataclass(frozen=True)
class QuestionFiles:
    """The files of the parts, in the folder of a run."""

    folder: Path

    def file(self, part: str) -> Path:
        """The file of a part."""
        return self.folder / f"{part}.jsonl"

    def records(self, part: str) -> list[Record]:
        """The questions of a part, as they were written."""
        return list(read_records(self.file(part))) if self.file(part).stat().st_size else []


def check_questions(path: Path, form: Any, encode: Encode) -> list[ReadQuestion]:
    """The questions of a file, without those that stand twice.

    Raises `RecordError`, with file and line, for a line that is no question or that an adaptation cannot use, and
    `InputError` where there are too few.
    """
    kept: dict[str, ReadQuestion] = {}
    for read in read_questions(path, form):
        place, record = f"{path}:{read.line}", read.record
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
        first = kept.setdefault(record.input, read)
        if first.record.output != record.output:
            raise RecordError(
                f"{place}: the question of line {first.line} again, and the answer is {record.output[:40]!r}, not "
                f"{first.record.output[:40]!r}: give it one answer"
            )
    questions = list(kept.values())
    _refuse_too_few(path, questions)
    return questions


def split_questions(questions: Sequence[ReadQuestion], seed: int) -> dict[Part, list[Record]]:
    """The questions of each part. Those that are the same but for numbers are in one part, and so is what was
    multiplied with its original.

    Groups of such questions are taken in the order of their hashes, first those with steps that check, so that these
    are in every part by its share. Questions without such steps are never taught: those of a group that is taught are
    left out, all others calibrate and test.
    """
    groups = _groups(questions)
    worked = {name for name, group in groups.items() if any(map(_is_checked, group))}
    part_of: dict[str, Part] = {}
    for chosen, shares in ((worked, SHARES), (groups.keys() - worked, {"calibrate": 0.5, "test": 0.5})):
        ordered = [groups[name] for name in sorted(chosen, key=lambda name: _hash(f"{seed}/{name}"))]
        whole, before = sum(map(len, ordered)), 0
        for group in ordered:
            part = _part_at((before + len(group) / 2) / whole, shares)
            before += len(group)
            part_of |= {question.record.input: part for question in group}
    split: dict[Part, list[Record]] = {part: [] for part in PARTS}
    for question in questions:
        part = part_of[question.record.input]
        if part != "teach" or _is_checked(question):
            split[part].append(question.record)
    for part, records in split.items():
        if not records:
            raise InputError(f"no question is left to {part}: too many are the same but for their numbers; give others")
    return split


def _groups(questions: Sequence[ReadQuestion]) -> dict[str, list[ReadQuestion]]:
    """Questions that must be in one part, by a name for them."""
    records = [one.record for one in questions]
    originals = {original_id(one.id) for one in records if one.source == MULTIPLIED_SOURCE}
    leader: dict[str, str] = {}

    def first(name: str) -> str:
        while leader.setdefault(name, name) != name:
            name = leader[name]
        return name

    for record in records:
        if (original := original_id(record.id)) in originals:
            leader[first(masked_question(record.input))] = first(f"original {original}")
    groups: dict[str, list[ReadQuestion]] = {}
    for question in questions:
        groups.setdefault(first(masked_question(question.record.input)), []).append(question)
    return groups


def write_parts(files: QuestionFiles, split: Mapping[Part, Sequence[Record]]) -> None:
    """Write the questions of each part to its file."""
    for part, records in split.items():
        write_records(files.file(part), records)


def described(questions: Sequence[ReadQuestion]) -> dict[str, Any]:
    """How many questions there are, and what became of their steps."""
    outcomes = Counter(str(question.outcome) for question in questions)
    kinds = {masked_question(question.record.input) for question in questions}
    return {
        "questions": len(questions),
        "checked": sum(map(_is_checked, questions)),
        "kinds": len(kinds),
        "outcomes": dict(outcomes.most_common()),
    }


def _refuse_too_few(path: Path, questions: Sequence[ReadQuestion]) -> None:
    if len(questions) < MIN_QUESTIONS:
        raise InputError(
            f"{path} has {len(questions)} questions: at least {MIN_QUESTIONS} are needed, 300 are better: a fifth "
            "calibrates and a fifth tests"
        )
    checked = sum(map(_is_checked, questions))
    if checked < MIN_CHECKED:
        faults = Counter(str(one.outcome) for one in questions if not _is_checked(one))
        told = ", ".join(f"{count}: {why}" for why, count in faults.most_common())
        raise InputError(
            f"{path}: {checked} of {len(questions)} questions have steps that check ({told}): at least {MIN_CHECKED} "
            'are needed; write steps as in {"input": "…", "output": "12", "steps": ["3 * 4 = 12"]}'
        )
    kinds = len({masked_question(question.record.input) for question in questions})
    if kinds < MIN_KINDS:
        raise InputError(
            f"{path}: numbers aside, its questions are {kinds} different ones: at least {MIN_KINDS} are needed, so "
            "that those of the test are others than those that are taught"
        )


def _is_checked(question: ReadQuestion) -> bool:
    return question.outcome is ImportOutcome.CHECKED


def _part_at(place: float, shares: Mapping[Any, float]) -> Part:
    """The part at a place from 0 to 1, where each part takes its share in turn."""
    names = list(shares)
    end = 0.0
    for name in names[:-1]:
        end += shares[name]
        if place < end:
            return name  # type: ignore[no-any-return]  # the names are parts
    return names[-1]  # type: ignore[no-any-return]


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
