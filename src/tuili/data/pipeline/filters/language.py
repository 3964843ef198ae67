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
from tuili.data.pipeline.words import Hashes, Words, hash_words

UNKNOWN = "unknown"
_HAN_WORDS = 0.3
"""A text is Chinese from this share of Han characters among its words on, ..."""
_KANA = 0.05
"""... and Japanese from this share of kana among them on."""


class Language(NamedTuple):
    """What a text is written in."""

    name: str
    """en, zh, another code of ISO 639-1, or `unknown`."""
    function_words: float
    """The share of words that are function words of the language; for Chinese, of Han characters."""


@cache
def _tables() -> tuple[Hashes, NDArray[np.intp], list[str], Hashes]:
    """Hashes in order, a mask of the languages that each belongs to, the languages, and the hashes of Chinese."""
    lists = yaml.safe_load(Path(__file__).with_name("function_words.yaml").read_text(encoding="utf-8"))
    chinese = np.sort(hash_words(lists.pop("zh")))
    names = list(lists)
    of_word = dict[int, int]()
    for number, name in enumerate(names):
        for value in hash_words(lists[name]).tolist():
            of_word[value] = of_word.get(value, 0) | 1 << number
    hashes = np.array(sorted(of_word), np.uint64)
    return hashes, np.array([of_word[int(value)] for value in hashes], np.intp), names, chinese


def language_of(words: Words) -> Language:
    """The language of a text, by its most frequent script first."""
    count = len(words)
    if not count:
        return Language(UNKNOWN, 0.0)
    classes = words.class_counts
    han, kana, hangul = (int(classes[kind]) for kind in (Class.HAN, Class.KANA, Class.HANGUL))
    hashes, masks, names, chinese = _tables()
    if han + kana >= _HAN_WORDS * count and han + kana > hangul:
        if kana > _KANA * (han + kana):
            return Language("ja", 0.0)
        found = found_in(chinese, words.hashes)
        return Language("zh", float(found.sum() / han))
    if hangul > _HAN_WORDS * int(classes[Class.LETTER] + hangul):
        return Language("ko", 0.0)
    if not int(classes[Class.LETTER]):
        return Language(UNKNOWN, 0.0)
    basic = int((words.codes[words.classes == Class.LETTER] < 0x250).sum())
    if basic < 0.5 * int(classes[Class.LETTER]):
        return Language(UNKNOWN, 0.0)  # Cyrillic, Arabic and other letters
    place = np.minimum(np.searchsorted(hashes, words.hashes), len(hashes) - 1)
    hits = masks[place[hashes[place] == words.hashes]]
    counts = [int(((hits >> number) & 1).sum()) for number in range(len(names))]
    best = max(range(len(names)), key=counts.__getitem__)
    return Language(names[best], counts[best] / count) if counts[best] else Language(UNKNOWN, 0.0)


def found_in(table: Hashes, hashes: Hashes) -> NDArray[np.bool_]:
    """Which hashes stand in a table that is in order."""
    place = np.minimum(np.searchsorted(table, hashes), len(table) - 1)
    return np.asarray(table[place] == hashes)
