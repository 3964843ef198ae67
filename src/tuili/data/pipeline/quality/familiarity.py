"""How familiar a text's words and word pairs are, by small tables from the good texts of a language.

Text whose words were exchanged, moved or strung together has common words with uncommon neighbours. How often pairs are
known depends on how common their words are, and on the subject of a text. Therefore, the share of known pairs is
compared with its value in good texts of other sources, for pairs of equally common words.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuili.data.pipeline.words import Words
from tuili.native import Hashes

CLASSES = 8
"""Frequency classes of a word or pair: 0 for unknown, else the logarithm of its document count, at most seven."""
SIZES = {"vocabulary": 2**16, "neighbours": 2**19}
"""The sizes of the tables. An entry has a class in three bits, and five bits of the hash as a check."""
_MOST = {"vocabulary": 40_000, "neighbours": 400_000}
"""The maximum numbers of words and pairs; the commonest are kept."""
_COMMON = 5
_LEVEL = np.minimum(*np.divmod(np.arange(CLASSES**2), CLASSES))
_CELLS = _LEVEL >= _COMMON, (_LEVEL > 0) & (_LEVEL < _COMMON)
"""Pairs of common words, and of other known ones."""
MEASURES = ("unknown", "common", "met", "met_more", "met_more_common", "met_more_other", "met_often")


@dataclass(frozen=True)
class Familiarity:
    """The tables of a language. Dimensions: C classes of a word or pair.

    expected_CC: the share of known pairs, by the classes of their words, in good texts of other sources.
    """

    vocabulary: NDArray[np.uint8]
    neighbours: NDArray[np.uint8]
    expected_CC: NDArray[np.float32]

    def measures(self, words: Words) -> list[float]:
        """`MEASURES` of a text: shares of its words and pairs, and how known pairs deviate from the expectation."""
        return measured(*self.counts(words.hashes, words.ngrams(2)), self.expected_CC)

    def counts(self, words: Hashes, neighbours: Hashes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Count pairs by the classes of their words [CC]; and the known pairs and the sums of classes [2, CC]."""
        common = classes_of(self.vocabulary, words)
        cells = common[:-1].astype(np.intp) * CLASSES + common[1:]
        pairs = np.bincount(cells * CLASSES + classes_of(self.neighbours, neighbours), minlength=CLASSES**3)
        by_class = pairs.reshape(-1, CLASSES).astype(np.float64)
        totals = by_class.sum(1)
        return totals, np.stack([totals - by_class[:, 0], by_class @ np.arange(CLASSES)])


def measured(totals: NDArray[np.float64], found: NDArray[np.float64], expected_CC: NDArray[np.float32]) -> list[float]:
    """Compute `MEASURES` from the result of `Familiarity.counts`."""
    count = max(1.0, float(totals.sum()))
    by_first = totals.reshape(CLASSES, CLASSES).sum(1)
    more = found[0] - totals * expected_CC.reshape(-1)
    known = float(found[0].sum())
    return [
        float(by_first[0]) / count,
        float(by_first[_COMMON:].sum()) / count,
        known / count,
        float(more.sum()) / count,
        *(_share(more, totals, cells) for cells in _CELLS),
        float(found[1].sum()) / max(1.0, known),
    ]


def _share(more: NDArray[np.float64], totals: NDArray[np.float64], cells: NDArray[np.bool_]) -> float:
    return float(more[cells].sum() / (totals[cells].sum() + 5))  # few pairs say little


def classes_of(table: NDArray[np.uint8], hashes: Hashes) -> NDArray[np.uint8]:
    """The class of each hash; 0 if the table does not have it."""
    entries = table[_places(hashes, len(table))]
    return np.asarray((entries & 7) * (entries >> 3 == (hashes & np.uint64(31)).astype(np.uint8)), np.uint8)


def _places(hashes: Hashes, size: int) -> NDArray[np.intp]:
    return (hashes >> np.uint64(65 - size.bit_length())).astype(np.intp)


def table(name: str, hashes: Hashes, counts: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Build the named table from distinct hashes and the document count of each, keeping the commonest."""
    order = np.argsort(counts, kind="stable")[-_MOST[name] :]
    hashes, counts = hashes[order], counts[order]
    classes = np.minimum(1 + np.log2(counts).astype(np.int64), CLASSES - 1).astype(np.uint8)
    entries = np.zeros(SIZES[name], np.uint8)
    entries[_places(hashes, len(entries))] = (hashes & np.uint64(31)).astype(np.uint8) << 3 | classes  # the last stays
    return entries


class Counting:
    """Counts in how many of the added documents each hash occurs."""

    FULL = 4_000_000

    def __init__(self) -> None:
        self._hashes, self._counts, self._size = list[Hashes](), list[NDArray[np.int64]](), 0

    def add(self, hashes: Hashes) -> None:
        """Count the hashes of a document."""
        once = np.unique(hashes)
        self._hashes.append(once)
        self._counts.append(np.ones(len(once), np.int64))
        self._size += len(once)
        if self._size > self.FULL:
            hashes, counts = merged([self])
            self._hashes, self._counts, self._size = [hashes], [counts], len(hashes) // 2

    @property
    def parts(self) -> tuple[list[Hashes], list[NDArray[np.int64]]]:
        """The counts so far, as arrays in which hashes may occur more than once."""
        return self._hashes, self._counts


def merged(counted: list[Counting]) -> tuple[Hashes, NDArray[np.int64]]:
    """All hashes, in order, and their counts."""
    every = [np.empty(0, np.uint64), *(part for one in counted for part in one.parts[0])]
    counts = [np.empty(0, np.int64), *(part for one in counted for part in one.parts[1])]
    hashes, place = np.unique(np.concatenate(every), return_inverse=True)
    return hashes, np.bincount(place, np.concatenate(counts), len(hashes)).astype(np.int64)
