"""A language's words for the domains: names, things, measure words and terms, from `words/zh.yaml`.

`render` decides where each word is used.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tuili.errors import InputError
from tuili.tasks.content import Language
from tuili.yaml_reading import compose

_FOLDER = Path(__file__).parent / "words"
_SECTIONS = ("names", "terms", "measures")


@dataclass(frozen=True)
class Lexicon:
    """A language's words for English words.

    names: words that occur in steps too. terms: words that occur only in prompts and answers (`yes`, `Monday`).
    measures: the measure word of a name in this language (`苹果` → `个`).
    """

    names: Mapping[str, str]
    terms: Mapping[str, str]
    measures: Mapping[str, str]


@cache
def lexicon(language: Language) -> Lexicon:
    """The words of a language, read on first use. The lexicon of English is empty, since words are English already."""
    if language is Language.EN:
        return Lexicon({}, {}, {})
    path = _FOLDER / f"{language}.yaml"
    root = compose(path.read_text(encoding="utf-8"))
    assert root is not None, path
    sections = {key.value: {word.value: own.value for word, own in node.value} for key, node in root.value}
    return Lexicon(**{section: sections[section] for section in _SECTIONS})


class Translation:
    """Translates the names of one content into a language wherever they occur as whole words."""

    def __init__(self, names: Iterable[str], language: Language) -> None:
        self._words = {} if language is Language.EN else _words(tuple(names), language)
        self._pattern = _pattern(tuple(sorted(self._words))) if self._words else None

    def __call__(self, text: str) -> str:
        """The text with its names translated."""
        return self._pattern.sub(lambda found: self._words[found[0]], text) if self._pattern else text


def _words(names: tuple[str, ...], language: Language) -> dict[str, str]:
    known = lexicon(language).names
    words = {}
    for name in names:
        if name not in known:
            raise InputError(f"{_FOLDER / f'{language}.yaml'} has no word for the name {name!r}: add it under names")
        words[name] = known[name]
    return words


@cache
def _pattern(names: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"(?<![A-Za-z0-9_])(?:{'|'.join(map(re.escape, names))})(?![A-Za-z0-9_])")
