"""Measures how similar a question is to a taught one, by the words that they share, ignoring numbers.

A test question may differ from every taught one even if numbers are ignored. But a different name or object is enough
for that, and a model answers such a question more easily than one in different words.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from tuili.data import masked_question

ALIKE = 0.8
"""The smallest share of common words at which two questions count as alike."""
TOGETHER = 1024
"""The number of questions compared at a time, for those asked and those taught."""
_PARTS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\u3040-\u30ff\u3400-\u9fff]+")
"""Chinese and Japanese have no spaces between words: there, each character counts as a word."""
_Word = tuple[str, int]
"""A word, and how often it has already occurred in its question."""


def likeness(questions: Sequence[str], taught: Iterable[str]) -> list[float]:
    """For each question, its largest similarity to a taught one, from 0 to 1: Dice's coefficient of the words of both,
    counted with repetitions."""
    asked, known = (_words_of_each(texts) for texts in (questions, dict.fromkeys(taught)))
    return [
        float(best)
        for start in range(0, len(asked), TOGETHER)
        for best in _best_N(asked[start : start + TOGETHER], known)
    ]


def _best_N(asked: Sequence[Sequence[_Word]], known: Sequence[Sequence[_Word]]) -> NDArray[np.float32]:
    places = {word: place for place, word in enumerate(dict.fromkeys(word for words in asked for word in words))}
    asked_NW, size_N1 = _table(asked, places), _sizes(asked)[:, None]
    best_N = np.zeros(len(asked), np.float32)
    for start in range(0, len(known), TOGETHER):
        chunk = known[start : start + TOGETHER]
        shared_NT = asked_NW @ _table(chunk, places).T
        best_N = np.maximum(best_N, (2 * shared_NT / np.maximum(size_N1 + _sizes(chunk), 1)).max(axis=1))
    return best_N


def _words_of_each(texts: Iterable[str]) -> list[list[_Word]]:
    every = list[list[_Word]]()
    for text in texts:
        seen = Counter[str]()
        every.append([])
        for word in (part for one in text.split() for part in _PARTS.findall(masked_question(one))):
            every[-1].append((word, seen[word]))
            seen[word] += 1
    return every


def _sizes(rows: Sequence[Sequence[_Word]]) -> NDArray[np.float32]:
    return np.array([len(words) for words in rows], np.float32)


def _table(rows: Sequence[Sequence[_Word]], places: dict[_Word, int]) -> NDArray[np.float32]:
    """Which of the words in `places` occur in each row."""
    table = np.zeros((len(rows), len(places)), np.float32)
    for number, words in enumerate(rows):
        table[number, [places[word] for word in words if word in places]] = 1
    return table
