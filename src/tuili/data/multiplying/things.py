"""Replaces things in a text by others of the same kind from `things.toml`, each consistently.

A thing stays if the words next to it may be bound to it (`apple pie`, `toy car`), or if the text has a word that is
used only of this thing (`pages` of a notebook).
"""

from __future__ import annotations

import random
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tuili.data.multiplying import number_words
from tuili.data.multiplying.edits import Edit

_FILE = Path(__file__).with_name("things.toml")
_SHARE = 0.6
"""The probability of replacing a thing that may be replaced."""
_COLOURS = "red|blue|green|yellow|pink|purple|white|black|orange"
_DETERMINERS = "a|an|one|each|every|per|another|single"
_BEFORE = re.compile(
    rf"(?:^|[,;:(.?!] ?|[0-9,]|\b(?:{_DETERMINERS}|the|his|her|their|my|your|our|its|these|those|this|that|some|any"
    "|many|more|fewer|less|few|several|all|both|other|extra|additional|new|remaining|total|of|with|and|or|for|than|has|have|had|buy"
    "|buys|bought|buying|got|gets|get|gave|gives|give|giving|found|finds|find|lost|loses|lose|sold|sells|sell|selling|need"
    "|needs|needed|collect|collects|collected|want|wants|own|owns|like|likes|as|much|enough|dozen|hundred|thousand|only"
    f"|{number_words.PATTERN}))(?P<colour> (?:{_COLOURS}))? ?$",
    re.IGNORECASE,
)
_BEHIND = re.compile(
    r"$|['’]? ?[,;:.?!)]| (?:and|or|in|on|at|from|to|into|with|without|for|of|that|which|who|than|as|by|between|among"
    r"|altogether|does|do|did|is|are|was|were|has|have|had|will|would|could|can|should|must|left|remain|remained|now|total|each|per|he|she"
    r"|they|it|his|her|their|the|a|if|when|while|but|so|then|how|after|before|because|more|still|also|there|together|costs?"
    r"|yesterday|today|this|every|over|during|you|we|i|[A-Z][a-z]+)\b"
)


@dataclass(frozen=True, slots=True)
class _Group:
    things: tuple[tuple[str, str], ...]
    never: re.Pattern[str]
    colours: bool
    one_alone: frozenset[str]


@cache
def _groups() -> tuple[_Group, ...]:
    return tuple(map(_group, tomllib.loads(_FILE.read_text(encoding="utf-8"))["group"]))


def _group(row: Mapping[str, list[str]]) -> _Group:
    pairs = [thing.split(" / ") for thing in row["things"]]
    words = "|".join(re.escape(word[:-1]) + r"\w*" if word.endswith("*") else re.escape(word) for word in row["never"])
    return _Group(
        tuple((one, more) for one, more in pairs),
        re.compile(rf"\b(?:{words})\b", re.IGNORECASE),
        bool(row.get("colours")),
        frozenset(row.get("one_alone", ())),
    )


@dataclass(frozen=True, slots=True)
class _Found:
    """A thing in a text, and its places, each with whether it is singular."""

    places: tuple[tuple[re.Match[str], bool], ...]
    others: tuple[tuple[str, str], ...]


class Things:
    """The things in a text that others may replace."""

    def __init__(self, text: str) -> None:
        self._found = list[_Found]()
        small = text.lower()
        for group in _groups():
            present = [thing for thing in group.things if any(re.search(rf"\b{word}\b", small) for word in thing)]
            if not present:
                continue
            free = tuple(thing for thing in group.things if not any(word in small for word in thing))
            rest = small
            for thing in present:
                rest = re.sub(rf"\b(?:{thing[0]}|{thing[1]})\b", "", rest)
            if not free or group.never.search(rest):
                continue
            for thing in present:
                places = tuple(_places(text, thing))
                if all(_is_free(text, match, is_one, group) for match, is_one in places):
                    self._found.append(_Found(places, free))

    def edits(self, rng: random.Random) -> list[Edit]:
        """Edits that replace some things by others, each the same in all places."""
        edits, taken = list[Edit](), set[tuple[str, str]]()
        for found in self._found:
            others = [thing for thing in found.others if thing not in taken]
            if rng.random() >= _SHARE or not others:
                continue
            new = rng.choice(others)
            taken.add(new)
            for match, is_one in found.places:
                word = new[0] if is_one else new[1]
                edits.append(Edit(*match.span(), word.capitalize() if match[0][0].isupper() else word))
        return edits


def _places(text: str, thing: tuple[str, str]) -> list[tuple[re.Match[str], bool]]:
    found = re.finditer(rf"(?<![\w-])(?:(?P<more>{thing[1]})|{thing[0]})(?![\w-])", text, re.IGNORECASE)
    return [(match, match["more"] is None) for match in found]


def _is_free(text: str, match: re.Match[str], is_one: bool, group: _Group) -> bool:
    """Whether the words next to a thing may stand next to any thing of its group."""
    if (
        match[0] != match[0].lower()
        and match.start()
        and text[match.start() - 2 : match.start()] not in (". ", "? ", "! ")
    ):
        return False
    before = _BEFORE.search(text[: match.start()])
    if before is None or (before["colour"] and not group.colours) or not _BEHIND.match(text[match.end() :]):
        return False
    return not (is_one and match[0].lower() in group.one_alone) or bool(
        re.search(rf"\b(?:{_DETERMINERS})(?: (?:{_COLOURS}))? $", text[: match.start()])
    )
