"""The features for a document's quality: its words, its pairs of words, and the shapes of three consecutive words.

A shape is what a word looks like and what follows it, so that logs, menus and packed code are recognised whatever their
words are. A run of Han characters has one shape. `classifier` weights the features.
"""

from __future__ import annotations

import numpy as np

from tuili.data.pipeline.characters import Class
from tuili.data.pipeline.kernels import mixed
from tuili.data.pipeline.words import Words
from tuili.native import Hashes, Places

GROUPS = {"words": 2**16, "pairs": 2**17, "shapes": 2**16}
"""The groups of features, and the table size of each. Only their hashes distinguish features."""
_LENGTHS = np.array([2, 3, 4, 6, 9, 13, 21])
"""Lengths of words, or of runs of Han characters, at which the next length class begins."""
_LONGER = np.searchsorted(_LENGTHS, np.arange(_LENGTHS[-1] + 1), side="right")
_MOST = 3
"""The maximum count of lines, or marks, between two words."""
_FIRST, _SECOND, _THIRD = (np.uint64(factor) for factor in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9))


def features_of(words: Words) -> tuple[Places, ...]:
    """The position of each feature in the table of its group: [words], [words - 1], [at most words - 2]."""
    found = (words.hashes, words.ngrams(2), _shapes_in_a_row(words))
    return tuple(
        (hashes >> np.uint64(65 - size.bit_length())).astype(np.intp)
        for hashes, size in zip(found, GROUPS.values(), strict=True)
    )


def _shapes_in_a_row(words: Words) -> Hashes:
    shapes = _shapes(words)
    return mixed(_FIRST * shapes[:-2] + _SECOND * shapes[1:-1] + _THIRD * shapes[2:])


def _shapes(words: Words) -> Hashes:
    """A number for the shape of each word or run of Han characters [words or runs]."""
    codes, classes, starts, ends = words.codes, words.classes, words.starts, words.ends
    if words.class_counts[Class.HAN]:
        han = classes[starts] == Class.HAN
        joined = han[1:] & han[:-1] & (starts[1:] == ends[:-1])
        starts = starts[np.concatenate([[True], ~joined])]
        ends = ends[np.concatenate([~joined, [True]])]
    following = np.append(codes, np.uint32(0))[ends]  # the character after a word, 0 at the end
    shape = _LONGER.take(ends - starts, mode="clip")
    shape = shape * Class.COUNT + classes[starts]
    shape = shape * Class.COUNT + classes[ends - 1]
    marks = ((classes == Class.PUNCTUATION) | (classes == Class.SYMBOL)).nonzero()[0]
    shape = (shape * (_MOST + 1) + _behind(words.newlines, starts)) * (_MOST + 1) + _behind(marks, starts)
    return shape.astype(np.uint64) | (following.astype(np.uint64) << np.uint64(32))


def _behind(places: Places, starts: Places) -> Places:
    """The number of `places` between a word and the next, or after the last word: at most `_MOST`."""
    return np.minimum(np.bincount(starts.searchsorted(places), minlength=len(starts) + 1)[1:], _MOST)
