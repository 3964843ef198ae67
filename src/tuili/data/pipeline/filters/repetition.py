"""Measures of repetition, each over all words or lines of a document at once.

The measures are those of Gopher (arXiv 2112.11446, table A1), in characters of words.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tuili.data.pipeline.kernels import kernels
from tuili.data.pipeline.words import Words
from tuili.native import Hashes, Places


def repeated_share(hashes: Hashes, lengths: Places) -> float:
    """The share of characters in items, such as lines, that repeat an earlier item."""
    total = int(lengths.sum())
    return float(lengths[kernels().repeated(hashes)].sum() / total) if total else 0.0


def repeated_characters(parts: Sequence[str]) -> int:
    """The number of characters in texts, such as lines, that repeat an earlier text."""
    seen, characters = set[str](), 0
    for part in parts:
        characters += len(part) if part in seen else 0
        seen.add(part)
    return characters


def repeated_ngrams(words: Words, n: int) -> float:
    """The share of word characters in runs of n words that repeat an earlier run."""
    again = kernels().repeated(words.ngrams(n))
    if not again.any():
        return 0.0
    covered = np.zeros(len(words), np.bool_)
    for place in range(n):
        covered[place : place + len(again)] |= again
    return float(words.lengths[covered].sum() / words.length_sums[-1])


def top_ngram(words: Words, n: int) -> float:
    """The share of word characters that the commonest run of n words takes up, if it occurs at least twice."""
    return min(1.0, kernels().commonest(words.ngrams(n), n, words.length_sums) / max(1, int(words.length_sums[-1])))
