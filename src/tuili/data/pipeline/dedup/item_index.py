"""An index of evaluation items, which finds one of them in a document by common runs of words.

Case, spacing and punctuation do not count, and all numbers count as equal. This module decides which runs are worth
searching for; `contamination` decides what is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from tuili.data.pipeline.dedup.evaluation_items import EvaluationItem
from tuili.data.pipeline.words import Words, hash_words
from tuili.native import Hashes, Places

SHORTEST_RUN = 8
"""A question with fewer words matches only as a whole line, ..."""
SHORTEST_LINE = 4
"""... and a question with fewer words that are not numbers is not searched for."""
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


class Match(NamedTuple):
    """A run of words that a document has in common with an item."""

    item: str
    words: int
    text: str
    """The run, with each number written as 0."""


class ItemIndex:
    """Runs of words of evaluation items: all runs of `ngram` words; shorter items as a whole."""

    def __init__(self, items: Iterable[EvaluationItem], ngram: int) -> None:
        self._names, number = list[str](), hash_words("0")
        self.too_short = list[EvaluationItem]()
        """Items that are not searched for, because they have too few words that are not numbers."""
        of_length: dict[int, list[Hashes]] = {}
        owners: dict[int, list[Places]] = {}
        for place, item in enumerate(items):
            self._names.append(item.name)
            words = normalised(" ".join(item.text.split()))
            counted = np.append(0, np.cumsum(words.hashes != number))
            length = min(len(words), ngram)
            if length < SHORTEST_RUN:
                length, hashes = 0, words.line_hashes if counted[-1] >= SHORTEST_LINE else words.line_hashes[:0]
            else:
                hashes = words.ngrams(length)[2 * (counted[length:] - counted[:-length]) > length]
            if not len(hashes):
                self.too_short.append(item)
            of_length.setdefault(length, []).append(hashes)
            owners.setdefault(length, []).append(np.full(len(hashes), place))
        self._runs = {n: _Runs(np.concatenate(of_length[n]), np.concatenate(owners[n])) for n in sorted(of_length)}

    def find(self, text: str) -> Match | None:
        """The first run of a text that belongs to an item; the shortest items are searched for first."""
        words = normalised(text)
        for length, runs in self._runs.items():
            at, item = runs.first(words.ngrams(length) if length else words.line_hashes)
            if item >= 0:
                start, end = (at, at + length) if length else (words.line_starts[at], words.line_ends[at])
                shown = words.codes[words.starts[start] : words.ends[end - 1]]
                return Match(self._names[item], int(end - start), shown.tobytes().decode("utf-32-le"))
        return None


def normalised(text: str) -> Words:
    """The words of a text, with every number replaced by 0: `1,250.5` is one number, and so is each part of `x2`."""
    return Words(_NUMBER.sub("0", text))


class _Runs:
    """Hashes with the items that they belong to; of equal hashes, the first."""

    def __init__(self, hashes: Hashes, owners: Places) -> None:
        self._hashes, first = np.unique(hashes, return_index=True)
        self._owners = owners[first]
        self._shift = np.uint64(64 - max(8 * len(hashes), 256).bit_length())
        self._may_be = np.zeros(1 << int(64 - self._shift), np.bool_)
        self._may_be[self._hashes >> self._shift] = True

    def first(self, hashes: Hashes) -> tuple[int, int]:
        """The position of the first hash that is in the index, and its item; the item is -1 if there is none."""
        places = np.flatnonzero(self._may_be[hashes >> self._shift])
        if len(places):
            found = np.searchsorted(self._hashes, hashes[places])
            held = self._hashes[np.minimum(found, len(self._hashes) - 1)] == hashes[places]
            if held.any():
                which = int(held.argmax())
                return int(places[which]), int(self._owners[found[which]])
        return 0, -1
