"""The stated constants of `stated.toml`: which a prompt's words allow, and which of its numbers are examples only."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

from tuili.steps.sources.numbers import MAX_TEXT_CHARACTERS, Key

COUNTING_DOWN, DOUBLING, PASSING = "counting_down", "doubling", "passing"
TRIAL_DIVISION, YEARS = "trial_division", "years"
_RULES = (COUNTING_DOWN, DOUBLING, PASSING, TRIAL_DIVISION, YEARS)
_WORD = re.compile(r"[a-z]+(?:/[a-z]+)*")
_SEPARATOR = re.compile(r"、|,? and |, |和|与")
_LIST = re.compile(r"[^\W\d]+(?:(?:, |、)[^\W\d]+)+(?:,? and [^\W\d]+)?")
"""Things in a row, of which the prompt gives the number by naming each."""
_FILE = Path(__file__).with_name("stated.toml")


@dataclass(frozen=True, slots=True)
class Stated:
    """What a prompt's words allow: constants with what each is, numbers said in words, and rules by name."""

    constants: Mapping[Key, str]
    words: frozenset[Key]
    rules: frozenset[str]


@cache
def _table() -> Mapping[str, Any]:
    return tomllib.loads(_FILE.read_text(encoding="utf-8"))


def stated(prompt: str) -> Stated:
    """What the table states for a prompt."""
    text = unicodedata.normalize("NFKC", prompt[:MAX_TEXT_CHARACTERS]).lower()
    has = _Words(text, f" {' '.join(_WORD.findall(text))} ").has
    table = _table()
    constants: dict[Key, str] = {}
    for row in table["constants"]:
        if "when" not in row or has(row["when"]):
            constants.update((key, row["what"]) for key in map(_key, row["numbers"]) if key not in constants)
    rules = frozenset(rule for rule in _RULES if has(table["rules"][rule]))
    words = {_key(number) for row in table["words"] if has(row["when"]) for number in row["numbers"]}
    if COUNTING_DOWN in rules:
        words.update(len(_SEPARATOR.findall(listed)) + 1 for listed in _LIST.findall(text))
    return Stated(constants, frozenset(words), rules)


@dataclass(frozen=True, slots=True)
class _Words:
    """A text in small letters, and its words of Latin letters with a space around each."""

    text: str
    words: str

    def has(self, entries: Iterable[str]) -> bool:
        """Whether the text has one of some words. `*` stands for endings."""
        return any(
            (f" {entry[:-1]}" in self.words if entry.endswith("*") else f" {entry} " in self.words)
            if entry[0].isascii() and entry[0].isalpha()
            else entry in self.text
            for entry in entries
        )


def without_examples(prompt: str) -> str:
    """A prompt without its examples of an answer's form: `Answer like 12 remainder 3.` loses what follows `like`."""
    return _examples().sub(" ", prompt)


@cache
def _examples() -> re.Pattern[str]:
    signs = "|".join(map(re.escape, _table()["examples"]))
    return re.compile(rf"(?:{signs})(?:[^.;?!。；？！\n]|\.(?=[0-9]))*", re.IGNORECASE)


def _key(number: str) -> Key:
    value = Fraction(number)
    return value.numerator if value.denominator == 1 else value
