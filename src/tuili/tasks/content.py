"""The content of a problem, independent of its wording: a domain makes it, and `wordings` renders it in a language.

The fingerprint of a content decides its split, so two wordings of one content are never in two splits.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from tuili.errors import InputError
from tuili.steps import programs

PROGRAM = "L"
"""The letter that labels the lines of a program."""
LABEL = re.compile(r"\b[A-Z][0-9]{1,3}\b")


class Language(StrEnum):
    """The languages in which problems are worded."""

    EN = "en"
    ZH = "zh"


class Wording(StrEnum):
    """Which forms may word a content: those used in training, those never used in training, or all."""

    SEEN = "seen"
    UNSEEN = "unseen"
    ALL = "all"


@dataclass(frozen=True)
class Clause:
    """A statement in a problem: its `formal` text in the step language, and the slots for a phrase of its kind."""

    kind: str
    formal: str
    slots: Mapping[str, Slot] = field(default_factory=dict)


@dataclass(frozen=True)
class Clauses:
    """A list of statements. A form may reorder them unless they are `ordered`.

    Their labels begin with `letter`; statements with the letter `L` are the lines of a program.
    """

    items: tuple[Clause, ...]
    ordered: bool = False
    letter: str = "P"


Slot: TypeAlias = str | int | Clause | Clauses


@dataclass(frozen=True)
class Content:
    """What a domain's `sample` returns: a problem without a wording.

    `kind` says which forms fit; `slots` are the values that forms refer to. `steps` and `answer` are in the step
    language. A step may refer to a statement of a list by its label, `P1` for the first. If the prompt shows no labels,
    the statement itself replaces the label. `names` are the words in slots, steps and answer that each language
    translates. If the answer is a program, `specification` says which programs are right. `distinct` are words that
    make it a different problem although no step has them: for a kind with few sums, whose forms all name these words.
    """

    kind: str
    slots: Mapping[str, Slot]
    steps: tuple[str, ...]
    answer: str
    names: tuple[str, ...] = ()
    specification: programs.Specification | None = None
    claim: str = ""
    distinct: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises `InputError` for an answer that is not a text or is blank."""
        if not isinstance(self.answer, str) or not self.answer.strip():
            raise InputError(f"a content has the answer {self.answer!r}: it must be a text that is not blank")

    @property
    def fingerprint(self) -> bytes:
        """A hash of the steps and the answer, with statements in place of labels, and of the `distinct` words.

        Other names that no step uses, and the order of the statements, do not count: problems with the same steps are
        the same problem.
        """
        return hashlib.sha256("\n".join((*self.relabelled({}), self.answer, *self.distinct)).encode()).digest()

    def relabelled(self, labels: Mapping[str, str]) -> Sequence[str]:
        """The steps with their labels replaced by these, or by the statement itself if it has no other label."""
        if not any(map(LABEL.search, self.steps)):
            return self.steps
        own = {
            f"{slot.letter}{number}": item.formal
            for slot in _lists(self.slots)
            if slot.letter != PROGRAM
            for number, item in enumerate(slot.items, start=1)
        }
        stated = {**own, **labels}
        return [LABEL.sub(lambda label: stated.get(label[0], label[0]), step) for step in self.steps]


def _lists(slots: Mapping[str, Slot]) -> Iterator[Clauses]:
    """The lists of statements among the slots, including those in the slots of clauses."""
    for slot in slots.values():
        if isinstance(slot, Clauses):
            yield slot
        elif isinstance(slot, Clause):
            yield from _lists(slot.slots)
