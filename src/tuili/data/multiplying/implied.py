"""The values that a text's words imply in addition to its numbers: 12 by `dozen`, 60 by `minutes`, the parts of `2/3`.

`implied.toml` lists the words and their values.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from fractions import Fraction
from functools import cache
from pathlib import Path

from tuili.data.multiplying import number_words

_FILE = Path(__file__).with_name("implied.toml")
_WORD = re.compile(r"[a-z]+(?:-[a-z]+)?|[%$]")
_FRACTION = re.compile(r"(?:([0-9]+)(?: and)? )?([0-9]+) ?/ ?([0-9]+)")
_PARTS = ("half", "halves"), ("third",), ("fourth", "quarter"), ("fifth",), ("sixth",), ("seventh",), ("eighth",)
_DENOMINATORS = {
    word: place
    for place, words in enumerate((*_PARTS, ("ninth",), ("tenth",)), start=2)
    for one in words
    for word in (one, f"{one}s")
}
_WORDED = re.compile(rf"\b({number_words.PATTERN})[- ]({'|'.join(_DENOMINATORS)})\b")
_AND_A_HALF = re.compile(rf"\b([0-9]+|{number_words.PATTERN}) and (?:a|one)[- ](half|third|quarter)\b")
_SHARE = re.compile(
    rf"(?<!first )(?<!second )(?<!and a )(?<!and one )\bhal(?:f|ves)\b|{_WORDED.pattern}"
    r"|(?<![0-9/])(?:[0-9]+(?: and)? )?[0-9]+ ?/ ?[0-9]+(?![0-9/])"
)
_REST = re.compile(r"\b(?:rest|remain\w*|left)\b", re.IGNORECASE)
_WHOLES = frozenset(map(Fraction, (7, 12, 24, 28, 29, 30, 31, 52, 60, 365)))
UNIVERSAL = frozenset((Fraction(0), Fraction(1)))
"""Numbers that a step may contain without a word for them."""


def implied_values(text: str) -> frozenset[Fraction]:
    """The values that the words of a text imply."""
    small = text.lower()
    words = {part for word in _WORD.findall(small) for part in (word, *word.split("-"))}
    exact, stems = _table()
    found = set(UNIVERSAL)
    for word in words:
        found.update(exact.get(word, ()))
        for stem, values in stems.items():
            if word.startswith(stem):
                found.update(values)
    for whole, above, below in _FRACTION.findall(small):
        if int(below):
            _add_fraction(found, int(above), int(below), int(whole or 0))
    for above, below in _WORDED.findall(small):
        _add_fraction(found, number_words.read_number(above), _DENOMINATORS[below], 0)
    for whole, below in _AND_A_HALF.findall(small):
        _add_fraction(
            found, 1, _DENOMINATORS[below], int(whole) if whole.isdigit() else number_words.read_number(whole)
        )
    return frozenset(found)


def shares(text: str) -> list[frozenset[Fraction]]:
    """For each share of something in a text, such as `half` or `2/3`, the numbers that steps may use for it."""
    return [implied_values(found[0]) - UNIVERSAL for found in _SHARE.finditer(text.lower())]


def wholes(text: str) -> frozenset[Fraction]:
    """The wholes from which a text may subtract to get the rest: a month's 30 days, in `the remaining days`."""
    return _WHOLES & implied_values(text) if _REST.search(text) else frozenset()


def _add_fraction(found: set[Fraction], above: int, below: int, whole: int) -> None:
    """Add a fraction, its parts, its difference from one, and its sum with one."""
    value = Fraction(above, below)
    found.update((Fraction(above), Fraction(below), value, 1 - value, 1 + value, whole + value, Fraction(whole)))
    found.update((Fraction(below - above), Fraction(below + above), 100 * value))


@cache
def _table() -> tuple[Mapping[str, tuple[Fraction, ...]], Mapping[str, tuple[Fraction, ...]]]:
    exact, stems = dict[str, tuple[Fraction, ...]](), dict[str, tuple[Fraction, ...]]()
    for row in tomllib.loads(_FILE.read_text(encoding="utf-8"))["implied"]:
        values = tuple(map(Fraction, row["values"]))
        for word in row["words"]:
            table, key = (stems, word[:-1]) if word.endswith("*") else (exact, word)
            table[key] = (*table.get(key, ()), *values)
    return exact, stems
