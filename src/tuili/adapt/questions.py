"""The questions of an adaptation, split into those that are taught, those that calibrate, and those that test.

`checking` reads and checks a file, and `variants` makes variants of questions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from tuili.adapt.checking import is_checked
from tuili.data import MULTIPLIED_SOURCE, ReadQuestion, Record, kinds_of, read_records, write_records
from tuili.errors import InputError

Part = Literal["teach", "calibrate", "test"]
PARTS: tuple[Part, ...] = get_args(Part)
SHARES: Mapping[Part, float] = {"teach": 0.6, "calibrate": 0.2, "test": 0.2}


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


def split_questions(questions: Sequence[ReadQuestion], seed: int) -> dict[Part, list[Record]]:
    """The questions of each part. Questions that are the same except for numbers are of one kind, and so is a
    multiplied question with its original. Each kind is in one part only.

    Kinds are taken in the order of their hashes, those with steps that check first, so that every part gets its share
    of these. From a kind that is taught, all questions with such steps are taken, and the others are left out. From a
    kind that calibrates or tests, one question is drawn, an original if possible: promises hold for questions that are
    drawn independently of one another, and those of a kind are right or wrong together.
    """
    groups = _groups(questions)
    worked = {name for name, group in groups.items() if any(map(is_checked, group))}
    parts: dict[Part, list[ReadQuestion]] = {part: [] for part in PARTS}
    for names, shares in ((worked, SHARES), (groups.keys() - worked, {"calibrate": 0.5, "test": 0.5})):
        ordered = sorted(names, key=lambda name: _hash(f"{seed}/{name}"))
        for place, name in enumerate(ordered):
            part, group = _part_at((place + 0.5) / len(ordered), shares), groups[name]
            parts[part] += filter(is_checked, group) if part == "teach" else [_drawn(group, seed)]
    for part, found in parts.items():
        if not found:
            raise InputError(f"no question is left to {part}: too many are the same but for their numbers; give others")
    return {part: [one.record for one in sorted(found, key=lambda one: one.line)] for part, found in parts.items()}


def _drawn(group: Sequence[ReadQuestion], seed: int) -> ReadQuestion:
    """One question of a kind."""
    originals = [one for one in group if one.record.source != MULTIPLIED_SOURCE]
    return min(originals or group, key=lambda one: _hash(f"{seed}/{one.record.input}"))


def _groups(questions: Sequence[ReadQuestion]) -> dict[str, list[ReadQuestion]]:
    """Questions that must be in the same part, by a name for them."""
    groups: dict[str, list[ReadQuestion]] = {}
    for question, kind in zip(questions, kinds_of([one.record for one in questions]), strict=True):
        groups.setdefault(kind, []).append(question)
    return groups


def write_parts(files: QuestionFiles, split: Mapping[Part, Sequence[Record]]) -> None:
    """Write the questions of each part to its file."""
    for part, records in split.items():
        write_records(files.file(part), records)


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
