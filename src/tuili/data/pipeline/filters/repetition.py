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
    """The share of characters in things, such as lines, that have stood before."""
    total = int(lengths.sum())
    return float(lengths[kernels().repeated(hashes)].sum() / total) if total else 0.0


def repeated_characters(parts: Sequence[str]) -> int:
    """Characters of texts, such as lines, in those that have stood before."""
    seen, characters = set[str](), 0
    for part in parts:
        characters += len(part) if part in seen else 0
        seen.add(part)
    return characters


def repeated_ngrams(words: Words, n: int) -> float:
    """The share of characters of words in runs of n words that have stood before."""
    again = kernels().repeated(words.ngrams(n))
    if not again.any():
        return 0.0
    covered = np.zeros(len(words), np.bool_)
    for place in range(n):
        covered[place : place + len(again)] |= again
    return float(words.lengths[covered].sum() / words.length_sums[-1])


def top_ngram(words: Words, n: int) -> float:
    """The share of characters of words that the commonest run of n words takes up, where it stands twice or more."""
    return min(1.0, kernels().commonest(words.ngrams(n), n, words.length_sums) / max(1, int(words.length_sums[-1])))
