"""The stated constants of `stated.toml`: which a prompt's words allow, and which of its numbers are only examples."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

from tuili.steps.sources.numbers import MAX_TEXT_CHARACTERS, Key
from tuili.steps.sources.worded_dates import WORDED_DATE

COUNTING_DOWN, DOUBLING, PASSING = "counting_down", "doubling", "passing"
TRIAL_DIVISION, YEARS = "trial_division", "years"
_RULES = (COUNTING_DOWN, DOUBLING, PASSING, TRIAL_DIVISION, YEARS)
_DATE = re.compile(rf"[0-9]{{4}}-[0-9]{{2}}|(?<![a-z0-9_.])(?i:{WORDED_DATE})")
_WORD = re.compile(r"[a-z]+(?:/[a-z]+)*")
_SEPARATOR = re.compile(r"、|,? and |, |和|与")
_LIST = re.compile(r"[^\W\d]+(?:(?:, |、)[^\W\d]+)+(?:,? and [^\W\d]+)?")
"""Things in a row: the prompt gives their number by naming each."""
_FILE = Path(__file__).with_name("stated.toml")


@dataclass(frozen=True, slots=True)
class Stated:
    """What a prompt's words allow: constants with their meanings, numbers said in words, and rules by name."""

    constants: Mapping[Key, str]
    words: frozenset[Key]
    rules: frozenset[str]


@cache
def _table() -> Mapping[str, Any]:
    return tomllib.loads(_FILE.read_text(encoding="utf-8"))


def stated(prompt: str) -> Stated:
    """What the table states for a prompt."""
    text = unicodedata.normalize("NFKC", prompt[:MAX_TEXT_CHARACTERS]).lower()
    table, found = _table(), _found(text)
    constants: dict[Key, str] = {}
    for row in table["constants"]:
        if "when" not in row or not found.isdisjoint(row["when"]):
            constants.update((key, row["what"]) for key in map(_key, row["numbers"]) if key not in constants)
    rules = frozenset(rule for rule in _RULES if not found.isdisjoint(table["rules"][rule]))
    words = {_key(number) for row in table["words"] if not found.isdisjoint(row["when"]) for number in row["numbers"]}
    if COUNTING_DOWN in rules:
        words.update(len(_SEPARATOR.findall(listed)) + 1 for listed in _LIST.findall(text))
    return Stated(constants, frozenset(words), rules)


def _found(text: str) -> set[str]:
    """The entries of the table's word lists that occur in a lower-case text."""
    entries, stems, signs = _entries()
    words = [*_WORD.findall(text), *("date" for _ in _DATE.finditer(text))]
    beginnings = " ".join(("", *words))
    return {*entries.intersection(words), *(f"{s}*" for s in stems if f" {s}" in beginnings), *signs.findall(text)}


@cache
def _entries() -> tuple[frozenset[str], tuple[str, ...], re.Pattern[str]]:
    """All entries: whole words, beginnings of words, and text that may occur anywhere."""
    table = _table()
    lists = (*(row.get("when", ()) for row in (*table["constants"], *table["words"])), *table["rules"].values())
    entries = frozenset(entry for when in lists for entry in when)
    words = frozenset(filter(_WORD.fullmatch, entries))
    stems = tuple(sorted(entry[:-1] for entry in entries if entry.endswith("*")))
    signs = sorted(entry for entry in entries - words if not entry.endswith("*"))
    return words, stems, re.compile("|".join(map(re.escape, signs)))


def without_examples(prompt: str) -> str:
    """A prompt without its examples of the answer's form: `Answer like 12 remainder 3.` loses what follows `like`."""
    return _examples().sub(" ", prompt)


@cache
def _examples() -> re.Pattern[str]:
    signs = "|".join(map(re.escape, _table()["examples"]))
    return re.compile(rf"(?:{signs})(?:[^.;?!。；？！\n]|\.(?=[0-9]))*", re.IGNORECASE)


def _key(number: str) -> Key:
    value = Fraction(number)
    return value.numerator if value.denominator == 1 else value
