"""The phrases of `phrases.toml` as patterns, and its lists of words."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from tuili.steps.language.characters import CJK
from tuili.steps.proofs.formulas import VARIABLE

RELATION, BOUND, OPEN_VALUE, CLAIM = "\ue000", "\ue001", "\ue002", "\ue003"
"""The placeholders in a text for a relation, for a relation like `n >= 1`, for `n = ...`, and for the claim."""

_FLAGS = re.IGNORECASE | re.ASCII
_HAS_CJK = re.compile(f"[{CJK}]")
_FILE = Path(__file__).with_name("phrases.toml")
_ITEM = rf"(?:(?<![A-Za-z0-9_']){VARIABLE}(?![A-Za-z0-9_'])|{BOUND})"
_BETWEEN = r"(?: ?, ?(?:and )?| and |和|与)"
_VARIABLES = rf"{_ITEM}(?:{_BETWEEN}{_ITEM}){{0,7}}"
_PARTS = {
    "R": f"(?P<relation_>[{RELATION}{BOUND}])",
    "V": f"(?P<variables_>{_VARIABLES})",
    "W": f"(?:{_VARIABLES})",
    "H": f"(?P<hypotheses_>[{RELATION}{BOUND}](?:(?: ?, ?(?:and )?| and | ?[且和与] ?)[{RELATION}{BOUND}]){{0,7}})",
}
"""What the parts of a phrase that are not fragments match. In each pattern, their group names end in a number."""
_PART = re.compile(r"\{([A-Za-z_]+)\}")
_GROUP = re.compile(r"(?<=\(\?P<)([a-z]+)_(?=>)")


class Found(NamedTuple):
    """What a phrase finds in a text, by the positions of its parts."""

    start: int
    end: int
    relation: int
    variables: tuple[tuple[int, int], ...]
    """If it is empty, the phrase names no variables, and those of the relation are meant."""
    hypotheses: tuple[tuple[int, int], ...]
    integers: bool
    least: int | None
    """The least number of the named kind, if there is one."""


class Phrase(NamedTuple):
    """A way to say that a relation holds for all numbers. In symbols, the kind of numbers is `integers` or none."""

    pattern: re.Pattern[str]
    in_symbols: bool

    def find(self, text: str) -> Iterator[Found]:
        """The occurrences of the phrase in a text."""
        for match in self.pattern.finditer(text):
            spans: dict[str, list[tuple[int, int]]] = {}
            for name in match.re.groupindex:
                if match.start(name) >= 0:
                    spans.setdefault(name.rstrip("0123456789"), []).append(match.span(name))
            integers = "integers" in match[0].lower() if self.in_symbols else "integers" in spans
            yield Found(
                *match.span(),
                relation=spans["relation"][0][0],
                variables=tuple(spans.get("variables", ())),
                hypotheses=tuple(spans.get("hypotheses", ())),
                integers=integers,
                least=1 if "positive" in spans else 0 if "natural" in spans else None,
            )


@cache
def _table() -> Mapping[str, Any]:
    return tomllib.loads(_FILE.read_text(encoding="utf-8"))


@cache
def phrases() -> tuple[Phrase, ...]:
    """All phrases."""
    table = _table()
    return tuple(
        Phrase(_pattern(phrase), part == "in_symbols") for part, each in table["phrases"].items() for phrase in each
    )


def _pattern(phrase: str) -> re.Pattern[str]:
    """The pattern of a phrase: fragments may contain fragments, and each group gets its own number."""
    table = _table()
    while (filled := _PART.sub(lambda part: table["fragments"].get(part[1], part[0]), phrase)) != phrase:
        phrase = filled
    space = r"\s*" if _HAS_CJK.search(phrase) else r"\s+"
    parts = {"kind": _named(table["kinds"]), "set": _named(table["sets"])}
    filled = _PART.sub(lambda part: parts.get(part[1], part[0]), phrase).replace(" ", space)
    filled = _PART.sub(lambda part: _PARTS[part[1]], filled)
    numbers = count()
    return re.compile(r"(?<![A-Za-z])" + _GROUP.sub(lambda name: f"{name[1]}{next(numbers)}", filled), _FLAGS)


def _named(kinds_of_numbers: Mapping[str, str]) -> str:
    """A pattern of kinds, each of which is a named group."""
    return "(?:" + "|".join(f"(?P<{kind}_>{words})" for kind, words in kinds_of_numbers.items()) + ")"


@cache
def kinds() -> re.Pattern[str]:
    """The pattern that finds the name of a kind of numbers."""
    return re.compile(f"(?<![A-Za-z])(?:{'|'.join(_table()['kinds'].values())})(?![A-Za-z])", _FLAGS)


@cache
def words(name: str) -> re.Pattern[str]:
    """The pattern that finds any word of a list; it finds Chinese words also within other words."""
    return re.compile(_any(_table()["words"][name]), _FLAGS)


@cache
def ends_with(name: str) -> re.Pattern[str]:
    """The pattern that finds a word of a list at the end of a text."""
    return re.compile(rf"(?:{_any(_table()['words'][name])})\Z", _FLAGS)


def has(text: str, name: str) -> bool:
    """Whether a text contains an entry of a list, also within a word."""
    lowered = text.lower()
    return any(word in lowered for word in _table()["words"][name])


@cache
def tail_words() -> frozenset[str]:
    """The words that may follow a claim within its sentence."""
    return frozenset(_table()["words"]["tail"])


def _any(entries: Iterable[str]) -> str:
    ordered = sorted(entries, key=len, reverse=True)
    return "|".join(rf"\b(?:{entry})\b" if entry.isascii() else entry for entry in ordered)
