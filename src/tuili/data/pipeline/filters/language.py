"""Detects the language of a document from its script and its function words, without a model: a word list suffices.

English is distinguished from other languages in Latin letters by the most frequent function words.
`function_words.yaml` lists those of the languages that English is most easily confused with.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import yaml
from numpy.typing import NDArray

from tuili.data.pipeline.characters import Class
from tuili.data.pipeline.lookup import Lookup
from tuili.data.pipeline.words import Words, hash_words, once

UNKNOWN, OTHER = "unknown", "other"
BY_SCRIPT = ("ja", "ko", OTHER)
"""Languages detected by script alone, without function words."""
LANGUAGES = ("zh", *BY_SCRIPT)
"""Languages detected besides those in Latin letters; `other` covers Cyrillic, Arabic and all other scripts."""
_LETTERS = 20
"""The number of non-Latin letters from which a text is not just a formula."""
_HAN_WORDS = 0.3
"""The minimum share of Han characters among the words of a Chinese text, ..."""
_KANA = 0.05
"""... and the share of kana among Han and kana above which the text is Japanese."""

_HITS, _SHARE = 4, 0.1
"""The minimum number and share of function words that indicate a language other than English."""


class Language(NamedTuple):
    """The language of a text."""

    name: str
    """`en`, `zh`, another ISO 639-1 code, `other`, or `unknown` if there are too few words to decide."""
    function_words: float
    """The share of words (in Chinese, of Han characters) that are function words of the language."""


@cache
def _tables() -> tuple[Lookup, NDArray[np.float64], list[str], Lookup]:
    """All function words, the languages of each [words + 1, languages], their names, and the Chinese characters."""
    lists = yaml.safe_load(Path(__file__).with_name("function_words.yaml").read_text(encoding="utf-8"))
    chinese = Lookup(np.unique(hash_words(lists.pop("zh"))))
    names = list(lists)
    of_language = [hash_words(lists[name]) for name in names]
    hashes = np.unique(np.concatenate(of_language))
    belongs = np.stack([np.isin(hashes, own) for own in of_language], axis=1).astype(np.float64)
    none = np.zeros((1, len(names)))
    return Lookup(hashes), np.concatenate([belongs, none]), names, chinese


def latin_languages() -> list[str]:
    """The codes of the languages in Latin letters that can be detected."""
    return _tables()[2]


@once
def language_of(words: Words) -> Language:
    """Detect the language of a text, starting from its most frequent script."""
    count = len(words)
    if not count:
        return Language(UNKNOWN, 0.0)
    classes = words.class_counts
    han, kana, hangul, letters = (classes[kind] for kind in (Class.HAN, Class.KANA, Class.HANGUL, Class.LETTER))
    lookup, belongs, names, chinese = _tables()
    if han + kana >= _HAN_WORDS * count and han + kana > hangul:
        if kana > _KANA * (han + kana):
            return Language("ja", 0.0)
        return Language("zh", np.count_nonzero(chinese.holds(words.hashes)) / han)
    if hangul > _HAN_WORDS * (letters + hangul):
        return Language("ko", 0.0)
    if not letters:
        return Language(UNKNOWN, 0.0)
    basic = np.count_nonzero((words.classes == Class.LETTER) & (words.codes < 0x250))
    if basic < 0.5 * letters:
        return Language(OTHER if letters - basic >= _LETTERS else UNKNOWN, 0.0)
    counts = np.bincount(lookup.places(words.hashes), minlength=len(belongs)) @ belongs
    best = int(counts.argmax())
    hits, share = int(counts[best]), float(counts[best]) / count
    if not hits or (best and (hits < _HITS or share < _SHARE)):
        return Language(UNKNOWN, 0.0)  # formulas, too, contain a word or two of another language
    return Language(names[best], share)
