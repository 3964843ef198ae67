"""Measures of repetition, each over all words or lines of a document at once.

The measures are those of Gopher (arXiv 2112.11446, table A1), in characters of words.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tuili.data.pipeline.words import Hashes, Places, Words

_LOW = np.uint64(16)
"""The bits of a hash in whose stead its place is sorted."""
_FEW = 2**16
"""So many places go into these bits."""
_PLACES = np.arange(_FEW, dtype=np.uint64)
_HIGH = ~np.uint64(_FEW - 1)


def repeated(hashes: Hashes) -> NDArray[np.bool_]:
    """Which of the hashes have stood before."""
    again = np.ones(len(hashes), np.bool_)
    if len(hashes):
        order, edges = _grouped(hashes)
        again[order[edges[:-1]]] = False
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
    """The places of hashes, equal ones side by side and in order, and where each group begins, with the end.

    To sort numbers takes a fraction of the time of sorting their places. So of a few hashes 48 bits are sorted with the
    places behind them: of 2^16 hashes two that differ are taken for equal once in 10^5 texts.
    """
    if len(hashes) <= _FEW:
        keys = (hashes & _HIGH) | _PLACES[: len(hashes)]
        keys.sort()
        order, in_order = (keys & ~_HIGH).astype(np.intp), keys >> _LOW
    else:
        order = hashes.argsort(kind="stable")
        in_order = hashes[order]
    edge = np.ones(len(hashes) + 1, np.bool_)
    edge[1:-1] = in_order[1:] != in_order[:-1]
    return order, edge.nonzero()[0]
