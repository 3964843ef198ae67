"""Pairs and triples of consecutive tokens, and a filter that represents a set of them.

It is a Bloom filter (Bloom 1970): one bit for each of several hashes. It accepts every member of the set, and about one
in a hundred non-members at `BITS_PER_NGRAM`. `tuili.eval` decides what is put in.

Dimensions: T tokens, N pairs or triples, H hashes, B bytes, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

HASHES = 7
BITS_PER_NGRAM = 10
_STEP, _MIX = np.uint64(0x9E3779B97F4A7C15), (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
"""The constants of splitmix64 (Steele et al. 2014)."""
Ngrams = tuple[NDArray[np.uint64], NDArray[np.uint64]]
"""The pairs and the triples of a text, in order, each encoded as a number."""


def ngrams_of(ids: Sequence[int], class_V: NDArray[np.uint32]) -> Ngrams:
    """The pairs and the triples of the classes of these tokens.

    Args:
        class_V: the class of each token. A run of class 0 counts as one token, so that a number of any length is one.
    """
    class_T = class_V[np.asarray(ids, dtype=np.int64)].astype(np.uint64)
    is_number_T = class_T == 0
    class_T = class_T[~(is_number_T & np.append(False, is_number_T[:-1]))] + np.uint64(1)
    base = class_V.max().astype(np.uint64) + np.uint64(2)
    pair_N = class_T[:-1] * base + class_T[1:]
    return pair_N, pair_N[:-1] * base + class_T[2:]


def without_ends(ids: Sequence[int], before: Sequence[int], after: Sequence[int]) -> Sequence[int]:
    """These tokens without the beginning that they share with `before` and the end that they share with `after`."""
    start, end = shared_length(ids, before), len(ids) - shared_length(ids[::-1], after[::-1])
    return ids[start : max(start, end)]


def shared_length(one: Sequence[int], other: Sequence[int]) -> int:
    """The length of the common prefix of both."""
    return next(
        (place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )


def novelty(ngrams: Ngrams, is_known: Callable[[NDArray[np.uint64]], NDArray[np.bool_]]) -> float:
    """The mean of the share of unknown pairs and the share of unknown triples; 0 for a text without a pair."""
    shares = [1 - float(is_known(key_N).mean()) for key_N in ngrams if len(key_N)]
    return sum(shares) / len(shares) if shares else 0.0


class NgramFilter:
    """A Bloom filter over pairs and triples, with its bits in `filter_B`."""

    def __init__(self, filter_B: NDArray[np.uint8]) -> None:
        self.filter_B = filter_B

    @classmethod
    def of(cls, key_N: NDArray[np.uint64]) -> NgramFilter:
        """A filter of these keys, which must be distinct."""
        made = cls(np.zeros(-(-max(1, len(key_N)) * BITS_PER_NGRAM // 8), np.uint8))
        bit_NH = made._bits(key_N)
        np.bitwise_or.at(made.filter_B, bit_NH >> np.uint64(3), _masks(bit_NH))
        return made

    def knows(self, key_N: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Which of these keys the filter accepts."""
        bit_NH = self._bits(key_N)
        known_N: NDArray[np.bool_] = np.all(self.filter_B[bit_NH >> np.uint64(3)] & _masks(bit_NH), axis=1)
        return known_N

    def _bits(self, key_N: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """The bit positions of each key."""
        mixed_NH = key_N[:, None] + np.arange(1, HASHES + 1, dtype=np.uint64) * _STEP
        mixed_NH = (mixed_NH ^ (mixed_NH >> np.uint64(30))) * _MIX[0]
        mixed_NH = (mixed_NH ^ (mixed_NH >> np.uint64(27))) * _MIX[1]
        bit_NH: NDArray[np.uint64] = (mixed_NH ^ (mixed_NH >> np.uint64(31))) % np.uint64(8 * len(self.filter_B))
        return bit_NH


def _masks(bit_NH: NDArray[np.uint64]) -> NDArray[np.uint8]:
    return np.left_shift(np.uint8(1), (bit_NH & np.uint64(7)).astype(np.uint8))
