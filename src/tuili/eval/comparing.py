"""How an answer is compared with the right one, where the problems are those of a file.

How two answers or two numbers are the same is left to `tuili.tasks`.
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
"""What makes more of a number than so many of a thing."""


class Comparison(StrEnum):
    """What of an answer is compared. The values are texts for users.

    Where the right answer is a number with a unit or a sign of a currency, as in `15 carrots` or `$19`, the last two
    compare the number. Of two answers with units these must be the same, too.
    """

    EXACT = "whole answer"
    """As `tuili.tasks.score` does: the form counts, too."""
    VALUE = "whole answer, numbers by value"
    """A number is the same in whatever form, see `tuili.tasks.same_amount`."""
    PROSE = "last number of the prose"
    """Of an answer in prose to a question whose answer is a number. Others are compared as texts."""

    @classmethod
    def of_model(cls, folder: Path, tokenizer: AnyTokenizer) -> Comparison:
        """How answers of a model are compared: one that was taught to think in steps answers barely behind them."""
        bare = isinstance(tokenizer, Tokenizer) or read_thinking_file(folder) is not None
        return cls.VALUE if bare else cls.PROSE

    def is_right(self, expected: str, given: str, specification: programs.Specification | None = None) -> bool:
        """Whether an answer is right. specification: where it is a program, which others are right, too."""
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
    """A number as a text, and what it counts, as one thing; an empty text where that is not told."""

    number: str
    unit: str

    @classmethod
    def of(cls, text: str) -> _Amount | None:
        """An answer that is one number with what it counts; None for any other."""
        found = _AMOUNT.fullmatch(text.strip().removesuffix("."))
        if found is None or (found["sign"] and found["unit"]) or _NO_UNIT.search(unit := (found["unit"] or "").strip()):
            return None
        unit = _SIGNS.get(found["sign"] or unit, unit).casefold()
        return cls(f"{found['minus']}{found['number']}", unit.removesuffix("s"))
