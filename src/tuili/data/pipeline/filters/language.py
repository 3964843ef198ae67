"""The language of a document, told by its script and by its function words. No model, no file beside a list of words.

English is told from other languages in Latin letters by which function words are the commonest: `function_words.yaml`
has those of the languages that it is taken for most easily.
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
"""What is told by its script alone, without function words."""
LANGUAGES = ("zh", *BY_SCRIPT)
"""What is told beside the languages in Latin letters; `other` are all in Cyrillic, Arabic and other letters."""
_LETTERS = 20
"""So many letters that are not Latin are no formula."""
_HAN_WORDS = 0.3
"""A text is Chinese from this share of Han characters among its words on, ..."""
_KANA = 0.05
"""... and Japanese from this share of kana among them on."""

_HITS, _SHARE = 4, 0.1
"""So many function words, and such a share of the words, speak for a language other than English."""


class Language(NamedTuple):
    """What a text is written in."""

    name: str
    """en, zh, another code of ISO 639-1, `other`, or `unknown` where there are too few words to tell."""
    function_words: float
    """The share of words that are function words of the language; for Chinese, of Han characters."""


@cache
def _tables() -> tuple[Lookup, NDArray[np.float64], list[str], Lookup]:
    """All function words, to which languages each belongs [words + 1, languages], these, and Chinese characters."""
    lists = yaml.safe_load(Path(__file__).with_name("function_words.yaml").read_text(encoding="utf-8"))
    chinese = Lookup(np.unique(hash_words(lists.pop("zh"))))
    names = list(lists)
    of_language = [hash_words(lists[name]) for name in names]
    hashes = np.unique(np.concatenate(of_language))
    belongs = np.stack([np.isin(hashes, own) for own in of_language], axis=1).astype(np.float64)
    none = np.zeros((1, len(names)))
    return Lookup(hashes), np.concatenate([belongs, none]), names, chinese


def latin_languages() -> list[str]:
    """The languages in Latin letters that are told, by their codes."""
    return _tables()[2]


@once
def language_of(words: Words) -> Language:
    """The language of a text, by its most frequent script first."""
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
        return Language(UNKNOWN, 0.0)  # a word or two of another language stand in formulas, too
    return Language(names[best], share)
