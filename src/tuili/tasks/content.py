"""What a problem says, apart from its words: a domain makes it, and `wordings` puts it into a language.

A content belongs to one split by its fingerprint, so that one content in two wordings never lies in two splits.
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
"""The letter of the lines of a program."""
LABEL = re.compile(r"\b[A-Z][0-9]{1,3}\b")


class Language(StrEnum):
    """The languages in which problems are put."""

    EN = "en"
    ZH = "zh"


class Wording(StrEnum):
    """Which forms put a content into words: those that may be trained on, those that never are, or all."""

    SEEN = "seen"
    UNSEEN = "unseen"
    ALL = "all"


@dataclass(frozen=True)
class Clause:
    """A statement within a problem: `formal` in the step language, and what a phrase of its kind needs as slots."""

    kind: str
    formal: str
    slots: Mapping[str, Slot] = field(default_factory=dict)


@dataclass(frozen=True)
class Clauses:
    """A list of statements. A form may put them into another order unless they are `ordered`.

    `letter` begins their labels; statements with the letter `L` are the lines of a program.
    """

    items: tuple[Clause, ...]
    ordered: bool = False
    letter: str = "P"


Slot: TypeAlias = str | int | Clause | Clauses


@dataclass(frozen=True)
class Content:
    """What a domain's `sample` returns: a problem without words.

    `kind` says which forms fit, `slots` are what they name. `steps` and `answer` are in the step language. A step may
    name the statements of a list by their labels, `P1` for the first: where a prompt shows no labels, the statement
    itself stands there. `names` are the words in slots, steps and answer for which each language has its own.
    Where the answer is a program, `specification` says which programs are right. `distinct` are words that make it
    another problem though no step has them: for a kind with a handful of sums, whose forms all name these words.
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
        """A hash of steps and answer, with the statements in place of their labels, and of the `distinct` words.

        Other names that no step uses and the order of statements do not count: what the same steps solve is the same
        problem.
        """
        return hashlib.sha256("\n".join((*self.relabelled({}), self.answer, *self.distinct)).encode()).digest()

    def relabelled(self, labels: Mapping[str, str]) -> Sequence[str]:
        """The steps with other labels for their own, and with the statement itself where there is no other label."""
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
    """The lists of statements among slots, those of a clause too."""
    for slot in slots.values():
        if isinstance(slot, Clauses):
            yield slot
        elif isinstance(slot, Clause):
            yield from _lists(slot.slots)
