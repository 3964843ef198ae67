"""Edits of a text: which spans get which new words, and the resulting text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

_ARTICLE = re.compile(r"\b([Aa])n? ((?:\$ ?)?)$")
_VOWEL_SOUND = re.compile(
    r"(?:8|18(?![0-9])|11(?![0-9])|18,|11,|[aeio](?!ne\b|nce\b)|u(?!ni|s[aeiu]|ti))", re.IGNORECASE
)


class Edit(NamedTuple):
    """The new words for `text[start:end]`."""

    start: int
    end: int
    new: str


def apply(text: str, edits: Iterable[Edit]) -> str:
    """Apply edits, which must not overlap, to the text; `a` and `an` before them are made to agree."""
    parts, done = list[str](), 0
    for edit in sorted(edits):
        assert done <= edit.start
        between = text[done : edit.start]
        if (article := _ARTICLE.search(between)) and _needs_an(text[edit.start : edit.end]) != _needs_an(edit.new):
            n = "n" if _needs_an(edit.new) else ""
            between = f"{between[: article.start()]}{article[1]}{n} {article[2]}"
        parts += (between, edit.new)
        done = edit.end
    return "".join((*parts, text[done:]))


def _needs_an(word: str) -> bool:
    return _VOWEL_SOUND.match(word) is not None
