"""Measures of repetition, each over all words or lines of a document at once.

The measures are those of Gopher (arXiv 2112.11446, table A1), in characters of words.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tuili.data.pipeline.words import Hashes, Places, Words


def repeated(hashes: Hashes) -> NDArray[np.bool_]:
    """Which of the hashes have stood before."""
    again = np.ones(len(hashes), np.bool_)
    if len(hashes):
        order, edges = _grouped(hashes)
        again[np.minimum.reduceat(order, edges[:-1])] = False
    return again


def repeated_share(hashes: Hashes, lengths: Places) -> float:
    """The share of characters in things, such as lines, that have stood before."""
    total = int(lengths.sum())
    return float(lengths[repeated(hashes)].sum() / total) if total else 0.0


def repeated_characters(parts: Sequence[str]) -> int:
    """Characters of texts, such as lines, in those that have stood before."""
    seen, characters = set[str](), 0
    for part in parts:
        characters += len(part) if part in seen else 0
        seen.add(part)
    return characters


def repeated_ngrams(words: Words, n: int) -> float:
    """The share of characters of words in runs of n words that have stood before."""
    again = repeated(words.ngrams(n))
    if not again.any():
        return 0.0
    covered = np.zeros(len(words), np.bool_)
    for place in range(n):
        covered[place : place + len(again)] |= again
    return float(words.lengths[covered].sum() / words.length_sums[-1])


def top_ngram(words: Words, n: int) -> float:
    """The share of characters of words that the commonest run of n words takes up, where it stands twice or more."""
    order, edges = _grouped(words.ngrams(n))
    counts = edges[1:] - edges[:-1]
    most = int(counts.max(initial=1))
    if most == 1:
        return 0.0
    first = order[edges[:-1][counts == most]]  # one of each: where hashes are equal, so are words
    longest = int((words.length_sums[first + n] - words.length_sums[first]).max())
    return min(1.0, longest * most / int(words.length_sums[-1]))


def _grouped(hashes: Hashes) -> tuple[Places, Places]:
    """The places of hashes, equal ones side by side, and where each group of equal ones begins, with the end."""
    order = hashes.argsort()
    in_order = hashes[order]
    edge = np.ones(len(hashes) + 1, np.bool_)
    edge[1:-1] = in_order[1:] != in_order[:-1]
    return order, edge.nonzero()[0]
