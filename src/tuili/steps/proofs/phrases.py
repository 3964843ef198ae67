"""The phrases of `phrases.toml` as patterns, and its lists of words."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from tuili.steps.language.characters import CJK
from tuili.steps.proofs.formulas import VARIABLE

RELATION, BOUND, OPEN_VALUE, CLAIM = "\ue000", "\ue001", "\ue002", "\ue003"
"""What stands in a text in place of a relation, of one like `n >= 1`, of `n = ...`, and of the claim."""

_FLAGS = re.IGNORECASE | re.ASCII
_HAS_CJK = re.compile(f"[{CJK}]")
_FILE = Path(__file__).with_name("phrases.toml")
_ITEM = rf"(?:(?<![A-Za-z0-9_']){VARIABLE}(?![A-Za-z0-9_'])|{BOUND})"
_BETWEEN = r"(?: ?, ?(?:and )?| and |和|与)"
_PARTS = {
    "R": f"(?P<relation>[{RELATION}{BOUND}])",
    "V": f"(?P<variables>{_ITEM}(?:{_BETWEEN}{_ITEM})*)",
    "H": f"(?P<hypotheses>[{RELATION}{BOUND}](?:(?: ?, ?| and )[{RELATION}{BOUND}])*)",
}


class Phrase(NamedTuple):
    """A way to say that a relation holds for all numbers; in symbols the kind of numbers is `integers` or none."""

    pattern: re.Pattern[str]
    in_symbols: bool


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
    table = _table()
    space = r"\s*" if _HAS_CJK.search(phrase) else r"\s+"
    named = "|".join(f"(?P<{kind}>{words})" for kind, words in table["kinds"].items())
    parts = {name: words.replace(" ", space) for name, words in {**table["fragments"], "kind": f"(?:{named})"}.items()}
    filled = re.sub(r"\{(\w+)\}", lambda match: {**parts, **_PARTS}[match[1]], phrase.replace(" ", space))
    return re.compile(r"(?<![A-Za-z])" + filled, _FLAGS)


@cache
def kinds() -> re.Pattern[str]:
    """What finds the name of a kind of numbers."""
    return re.compile("|".join(_table()["kinds"].values()), _FLAGS)


@cache
def words(name: str) -> re.Pattern[str]:
    """What finds any word of a list; where it is Chinese, also within other words."""
    return re.compile(_any(_table()["words"][name]), _FLAGS)


@cache
def ends_with(name: str) -> re.Pattern[str]:
    """What matches a text that ends with a word of a list."""
    return re.compile(rf"(?:{_any(_table()['words'][name])})\Z", _FLAGS)


def sets_a_task(text: str) -> bool:
    """Whether a text may ask for a proof."""
    lowered = text.lower()
    return any(word in lowered for word in _table()["words"]["tasks"])


@cache
def tail_words() -> frozenset[str]:
    """The words that may follow a claim within its sentence."""
    return frozenset(_table()["words"]["tail"])


def _any(entries: Iterable[str]) -> str:
    ordered = sorted(entries, key=len, reverse=True)
    return "|".join(rf"\b(?:{entry})\b" if entry.isascii() else entry for entry in ordered)
