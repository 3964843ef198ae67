"""Replaces first names in a text by others of the same gender from `names.toml`, each consistently.

A name stays if it may be something else: a part of a longer name, a place, a second name of the same person.
"""

from __future__ import annotations

import random
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tuili.data.multiplying.edits import Edit

_FILE = Path(__file__).with_name("names.toml")
_SHARE = 0.9
"""The probability of replacing a name that may be replaced."""
_WORD = re.compile(r"(?<![\w'’-])([A-Za-z]+)(?![\w-])")
_GOES_ON = re.compile(r" (?!I\b)[A-Z][a-z]| ?& ?\w")
_BEFORE = re.compile(r"([A-Za-z]+)\.? $")
_BEGINS = re.compile(r"(?:^|[.?!:;,\"“”\n(] *)$")
_BARE_POSSESSIVE = re.compile(r"['’](?=\W|$)")
_PRONOUNS = {
    "she": re.compile(r"\b(?:she|her|hers|herself)\b", re.I),
    "he": re.compile(r"\b(?:he|him|his|himself)\b", re.I),
}


@dataclass(frozen=True, slots=True)
class _Table:
    genders: Mapping[str, str]
    given: Mapping[str, tuple[str, ...]]
    """The names that people may get, by gender."""
    words: frozenset[str]
    alike: Mapping[str, int]
    titles: Mapping[str, str]
    never_behind: frozenset[str]


@cache
def _table() -> _Table:
    read = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    given = {gender: tuple(read[gender].split()) for gender in ("she", "he", "unsure")}
    words = {gender: read[f"words_{gender}"].split() for gender in ("she", "he")}
    genders = {name: gender for listed in (given, words) for gender, names in listed.items() for name in names}
    alike = {name: group for group, listed in enumerate(read["alike"]) for name in listed.split()}
    titles = {title: gender for gender in ("she", "he") for title in read[f"titles_{gender}"]}
    as_words = frozenset(name for names in words.values() for name in names)
    return _Table(genders, given, as_words, alike, titles, frozenset(read["never_behind"]))


class Names:
    """The people in a text who may get other names."""

    def __init__(self, text: str) -> None:
        self._lowered = not any(sign.isupper() for sign in re.sub(r"\bI\b", "", text))
        self._text, self._present = text, {word.lower() for word in re.findall(r"[A-Za-z]+", text)}
        places = self._places()
        self._people = {
            name: matches
            for name, matches in places.items()
            if all(map(self._is_person, matches)) and not any(_alike(name, other) for other in places if other != name)
        }
        if len(places) == 1 and self._disagree(*places):
            self._people = {}

    def edits(self, rng: random.Random) -> list[Edit]:
        """Edits that give people other names, each the same in all places."""
        edits, taken = list[Edit](), set[str]()
        for name, matches in self._people.items():
            if rng.random() < _SHARE and (new := self._other(name, taken, rng)) is not None:
                taken.add(new)
                edits += (self._edit(match, new.lower() if self._lowered else new) for match in matches)
        return edits

    def _other(self, name: str, taken: Collection[str], rng: random.Random) -> str | None:
        table = _table()
        names = table.given[table.genders[name]]
        for new in rng.sample(names, 8):
            shared = any(_alike(new, other) or new[:2] == other[:2] for other in (*taken, *self._people))
            if not (shared or new.lower() in self._present or new.endswith("s")):
                return new
        return None

    def _places(self) -> dict[str, list[re.Match[str]]]:
        """The places of each listed name. A name that also occurs in another case is left out."""
        table = _table()
        found = dict[str, list[re.Match[str]]]()
        for match in _WORD.finditer(self._text):
            name = match[1].capitalize()
            if name in table.genders and not (self._lowered and name in table.words):
                found.setdefault(name, []).append(match)
        return {
            name: matches
            for name, matches in found.items()
            if all(match[1] == (name.lower() if self._lowered else name) for match in matches)
            and len(matches) == len(re.findall(rf"\b{name}", self._text, re.IGNORECASE))
        }

    def _is_person(self, match: re.Match[str]) -> bool:
        """Whether a name at this place denotes a person called by the first name alone."""
        if self._lowered:
            return True
        table, before, behind = _table(), self._text[: match.start()], self._text[match.end() :]
        if _GOES_ON.match(behind):
            return False
        if before.lower().endswith("the ") or (before.endswith(" in ") and not behind.startswith(("'", "’"))):
            return False
        previous = _BEFORE.search(before)
        if previous is None or not previous[1][0].isupper():
            return True
        word = previous[1]
        if word in table.titles:
            return table.titles[word] == table.genders[match[1]]
        if word in table.never_behind or word in table.genders:
            return False
        return bool(_BEGINS.search(before[: previous.start()]))

    def _disagree(self, name: str) -> bool:
        """Whether the text refers to the named person only by the other gender's pronouns."""
        gender = _table().genders[name]
        if gender not in _PRONOUNS:
            return False
        other = "he" if gender == "she" else "she"
        return bool(_PRONOUNS[other].search(self._text)) and not _PRONOUNS[gender].search(self._text)

    def _edit(self, match: re.Match[str], new: str) -> Edit:
        """The new name; `James'` gives `Peter's`."""
        bare = _BARE_POSSESSIVE.match(self._text, match.end()) if match[1].endswith("s") else None
        return Edit(match.start(), bare.end(), f"{new}{bare[0]}s") if bare else Edit(*match.span(), new)


def _alike(name: str, other: str) -> bool:
    """Whether two names may denote the same person."""
    alike = _table().alike
    return name[:3] == other[:3] or (name in alike and alike[name] == alike.get(other))
