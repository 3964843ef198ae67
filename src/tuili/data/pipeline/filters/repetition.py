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
    again = np.zeros(len(hashes), np.bool_)
    in_order = np.sort(hashes)
    if (in_order[1:] == in_order[:-1]).any():
        order = np.argsort(hashes, kind="stable")
        in_order = hashes[order]
        again[order[1:][in_order[1:] == in_order[:-1]]] = True
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
    hashes = words.ngrams(n)
    again = repeated(hashes)
    if not again.any():
        return 0.0
    change = np.zeros(len(words) + 1, np.intp)
    change[: len(again)] += again
    change[n : n + len(again)] -= again
    covered = np.cumsum(change[:-1]) > 0
    return float(words.lengths[covered].sum() / words.lengths.sum())


def top_ngram(words: Words, n: int) -> float:
    """The share of characters of words that the commonest run of n words takes up, where it stands twice or more."""
    hashes = words.ngrams(n)
    if len(hashes) < 2:
        return 0.0
    in_order = np.sort(hashes)
    change = in_order[1:] != in_order[:-1]
    if change.all():
        return 0.0
    ends = np.append(np.flatnonzero(change), len(hashes) - 1)
    counts = np.diff(ends, prepend=-1)
    most = int(counts.max())
    commonest = in_order[ends[counts == most]]
    places = np.flatnonzero(hashes == commonest[0] if len(commonest) == 1 else np.isin(hashes, commonest))
    sums = np.append(0, np.cumsum(words.lengths))
    longest = int((sums[places + n] - sums[places]).max())
    return min(1.0, longest * most / int(words.lengths.sum()))
