"""How an answer is compared with the right one, for problems from a file.

`tuili.tasks` decides whether two answers or two numbers are the same.
"""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from tuili.steps import programs
from tuili.store import AnyTokenizer, Tokenizer, read_thinking_file
from tuili.tasks import last_number, same_amount, same_answer

_SIGNS = {"$": "dollar", "€": "euro", "£": "pound"}
_AMOUNT = re.compile(
    r"(?P<minus>-?)(?P<sign>[$€£]?) ?"
    r"(?P<number>(?:[0-9]{1,3}(?:,[0-9]{3}){1,12}|[0-9]{1,40})(?:\.[0-9]{1,40}|/0{0,40}[1-9][0-9]{0,39})?)"
    r"(?P<unit> ?(?:[%€£]|[^\W\d_][^\s\d,;:]*(?: [^\s\d,;:]+){0,2}))?"
)
_NO_UNIT = re.compile(
    r"\b(?:and|or|to|is|are|was|were|has|have|not|k|hundreds?|thousands?|millions?|billions?|trillions?|dozens?"
    r"|half|halves|(?:third|quarter|fifth|sixth|eighth|tenth)s?)\b|^[百千万亿]",
    re.IGNORECASE,
)
"""Words after a number that make it more than a count of things."""


class Comparison(StrEnum):
    """Which part of an answer is compared. The values are texts for users.

    If the right answer is a number with a unit or a currency sign, as in `15 carrots` or `$19`, the last two modes
    compare the number. If both answers have units, the units must also be the same.
    """

    EXACT = "whole answer"
    """As `tuili.tasks.score` does: the form also counts."""
    VALUE = "whole answer, numbers by value"
    """A number may have any form, see `tuili.tasks.same_amount`."""
    PROSE = "last number of the prose"
    """For an answer in prose to a question whose answer is a number. Other answers are compared as texts."""

    @classmethod
    def of_model(cls, folder: Path, tokenizer: AnyTokenizer) -> Comparison:
        """How the answers of a model are compared: one taught to think in steps gives a bare answer after them."""
        bare = isinstance(tokenizer, Tokenizer) or read_thinking_file(folder) is not None
        return cls.VALUE if bare else cls.PROSE

    def is_right(self, expected: str, given: str, specification: programs.Specification | None = None) -> bool:
        """Whether an answer is right. specification: if the answer is a program, defines which others are right."""
        if self is Comparison.PROSE:
            given = given.strip().removesuffix(".")
        if same_answer(expected, given, specification):
            return True
        if self is Comparison.EXACT or specification is not None:
            return False
        wanted = _Amount.of(expected)
        if self is Comparison.PROSE:
            return same_amount(wanted.number if wanted else expected, last_number(given))
        told = _Amount.of(given) if wanted and wanted.unit else None
        if wanted is None or told is None:
            return same_amount(expected, given)
        return told.unit in ("", wanted.unit) and same_amount(wanted.number, told.number)


class _Amount(NamedTuple):
    """A number as a text, and its unit in the singular; an empty text if there is no unit."""

    number: str
    unit: str

    @classmethod
    def of(cls, text: str) -> _Amount | None:
        """The amount of an answer that consists of one number and its unit, if any; None for any other answer."""
        found = _AMOUNT.fullmatch(text.strip().removesuffix("."))
        if found is None or (found["sign"] and found["unit"]) or _NO_UNIT.search(unit := (found["unit"] or "").strip()):
            return None
        unit = _SIGNS.get(found["sign"] or unit, unit).casefold()
        return cls(f"{found['minus']}{found['number']}", unit.removesuffix("s"))
