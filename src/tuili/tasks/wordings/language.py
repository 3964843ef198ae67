"""What a language has for the words of the domains: names, things, measure words and terms. `words/zh.yaml` holds them.

Which word stands where is left to `render`.
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
    """The words of a language for English ones.

    names: words that stand in steps too. terms: words of prompts and answers alone (`yes`, `Monday`). measures: the
    measure word of a name of this language (`苹果` → `个`).
    """

    names: Mapping[str, str]
    terms: Mapping[str, str]
    measures: Mapping[str, str]


@cache
def lexicon(language: Language) -> Lexicon:
    """The words of a language, read when they are first asked for. English has its own words: the lexicon is empty."""
    if language is Language.EN:
        return Lexicon({}, {}, {})
    path = _FOLDER / f"{language}.yaml"
    root = compose(path.read_text(encoding="utf-8"))
    assert root is not None, path
    sections = {key.value: {word.value: own.value for word, own in node.value} for key, node in root.value}
    return Lexicon(**{section: sections[section] for section in _SECTIONS})


class Translation:
    """Puts the names of one content into a language, wherever they stand as whole words."""

    def __init__(self, names: Iterable[str], language: Language) -> None:
        self._words = {} if language is Language.EN else _words(tuple(names), language)
        self._pattern = _pattern(tuple(sorted(self._words))) if self._words else None

    def __call__(self, text: str) -> str:
        """The text with its names in the language."""
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
