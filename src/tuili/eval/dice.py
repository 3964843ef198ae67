"""How much a question is like one that was taught: by the words that they share, numbers aside.

A question of a test may be none that was taught, numbers aside. But another name or another thing makes another one,
and a model answers that more easily than one that is asked in other words.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from tuili.data import masked_question

ALIKE = 0.8
"""The share of words from which on two questions are alike."""
TOGETHER = 1024
"""Questions that are compared at a time, of those asked and of those taught."""
_PARTS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\u3040-\u30ff\u3400-\u9fff]+")
"""Chinese and Japanese put no spaces between words: there each character is one."""
_Word = tuple[str, int]
"""A word, and how often it has stood before in its question."""


def likeness(questions: Sequence[str], taught: Iterable[str]) -> list[float]:
    """For each question its largest likeness to a taught one, from 0 to 1: the share of the words of both that stand in
    both, as often as they do (Dice's coefficient)."""
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
    """Which of the words with a place stand in each row."""
    table = np.zeros((len(rows), len(places)), np.float32)
    for number, words in enumerate(rows):
        table[number, [places[word] for word in words if word in places]] = 1
    return table
