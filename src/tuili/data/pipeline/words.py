"""The one pass over a text that all blocks share: its words and lines as arrays, found and hashed without a loop.

A word is a run of letters and digits, or one Han character, in lower case. Its hash is a polynomial of its characters
in whole numbers modulo 2^64, so that the hashes of all words, and of all runs of n words, come from one running sum.
What is measured with it is left to `repetition` and the blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, wraps
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tuili.data.pipeline.characters import Class, Classes, Codes, classes_of

Hashes = NDArray[np.uint64]
Places = NDArray[np.intp]
Told = TypeVar("Told")

_BASE = 0x9E3779B97F4A7C15
_INVERSE = pow(_BASE, -1, 2**64)
_MIX = np.uint64(0xD6E8FEB86659FD93)
_HALF = np.uint64(32)


class Words:
    """The words and lines of a text. Arrays are computed when they are first asked for.

    Places count the characters of the text in lower case, which for a few rare letters is longer than the text, without
    those that are ignored.
    """

    def __init__(self, text: str) -> None:
        """Raises `UnicodeEncodeError` for a text with half characters, which readers refuse."""
        self.told = dict[Callable[[Words], Any], Any]()
        """What functions of `once` have told of them."""
        self._ngrams: dict[int, Hashes] = {}
        lowered = text.lower()
        self.codes: Codes = np.frombuffer(lowered.encode("utf-32-le"), np.uint32)
        """The characters in lower case, as code points [characters]."""
        self.classes: Classes = classes_of(self.codes)
        """The class of each character [characters]."""
        if self.class_counts[Class.IGNORED]:
            shown = self.classes != Class.IGNORED
            self.codes, self.classes = self.codes[shown], self.classes[shown]
            del self.class_counts

    @cached_property
    def class_counts(self) -> list[int]:
        """How many characters each class has [classes]."""
        counts: list[int] = np.bincount(self.classes, minlength=Class.COUNT).tolist()
        return counts

    @cached_property
    def visible(self) -> int:
        """How many characters are no space; 1 at least, to divide by."""
        return max(1, len(self.codes) - self.class_counts[Class.SPACE] - self.class_counts[Class.NEWLINE])

    @property
    def mostly_han(self) -> bool:
        """Whether most words are Han characters."""
        return 2 * self.class_counts[Class.HAN] > len(self)

    @cached_property
    def _bounds(self) -> tuple[Places, Places]:
        run = np.zeros(len(self.classes) + 2, np.uint8)  # 0 beside words; neighbouring words have different numbers
        run[1:-1] = self.classes >= Class.LETTER
        if self.class_counts[Class.HAN]:
            (han,) = (self.classes == Class.HAN).nonzero()
            run[han + 1] = 2 + (han & 1)
        edge, within = run[1:] != run[:-1], run > 0
        return (edge & within[1:]).nonzero()[0], (edge & within[:-1]).nonzero()[0]

    @cached_property
    def starts(self) -> Places:
        """Where each word begins [words]."""
        return self._bounds[0]

    @cached_property
    def ends(self) -> Places:
        """Where each word ends, exclusive [words]."""
        return self._bounds[1]

    def __len__(self) -> int:
        return len(self.starts)

    @cached_property
    def lengths(self) -> Places:
        """The characters of each word [words]."""
        return self.ends - self.starts

    @cached_property
    def length_sums(self) -> Places:
        """The characters of all words before each word, and of all [words + 1]."""
        return np.concatenate([[0], self.lengths.cumsum()])

    @cached_property
    def hashes(self) -> Hashes:
        """A hash of each word [words]: equal words have equal ones, in every document and on every machine."""
        return mixed(_Sums(self.codes.astype(np.uint64) + np.uint64(1)).between(self.starts, self.ends))

    @cached_property
    def _sums(self) -> _Sums:
        return _Sums(self.hashes)

    def ngrams(self, n: int) -> Hashes:
        """A hash of each run of n words [words - n + 1], none where there are fewer than n. Of n = 1 it is `hashes`."""
        if n not in self._ngrams:
            self._ngrams[n] = self.hashes if n == 1 else mixed(self._sums.runs(min(n, len(self) + 1)))
        return self._ngrams[n]

    @cached_property
    def newlines(self) -> Places:
        """Where lines end [newlines]."""
        return np.flatnonzero(self.classes == Class.NEWLINE)

    @cached_property
    def _line_bounds(self) -> tuple[Places, Places]:
        """Where each line begins and ends among the words, of lines that hold words."""
        cuts = np.concatenate([[0], self.starts.searchsorted(self.newlines), [len(self)]])
        held = cuts[1:] > cuts[:-1]
        return cuts[:-1][held], cuts[1:][held]

    @cached_property
    def line_starts(self) -> Places:
        """The first word of each line that holds words [lines]."""
        return self._line_bounds[0]

    @cached_property
    def line_ends(self) -> Places:
        """The word behind the last of each line [lines]."""
        return self._line_bounds[1]

    @cached_property
    def line_hashes(self) -> Hashes:
        """A hash of the words of each line [lines]: spaces and punctuation do not count."""
        return mixed(self._sums.between(self.line_starts, self.line_ends))

    @cached_property
    def line_lengths(self) -> Places:
        """Characters of each line, from its first word to its last [lines]."""
        return self.ends[self.line_ends - 1] - self.starts[self.line_starts]

    @cached_property
    def line_last_codes(self) -> Codes:
        """The last character of each line that is no space [lines]."""
        (visible,) = (self.classes > Class.NEWLINE).nonzero()
        newlines = np.append(self.newlines, len(self.codes))
        ends = newlines[newlines.searchsorted(self.ends[self.line_ends - 1])]
        return self.codes[visible[visible.searchsorted(ends) - 1]]


def once(tell: Callable[[Words], Told]) -> Callable[[Words], Told]:
    """A function that is computed once for the words of a document, however many blocks ask."""

    @wraps(tell)
    def told(words: Words) -> Told:
        if tell not in words.told:
            words.told[tell] = tell(words)
        value: Told = words.told[tell]
        return value

    return told


class _Sums:
    """Running sums of `values[i] * base^i`, from which the polynomial of any stretch follows."""

    def __init__(self, values: Hashes) -> None:
        powers, self._inverses = _powers(len(values))
        self._sums = np.zeros(len(values) + 1, np.uint64)
        np.cumsum(values * powers, out=self._sums[1:])

    def between(self, starts: Places, ends: Places) -> Hashes:
        """The polynomial of each stretch of values."""
        return (self._sums[ends] - self._sums[starts]) * self._inverses[starts]

    def runs(self, n: int) -> Hashes:
        """The polynomial of each run of n values."""
        return (self._sums[n:] - self._sums[:-n]) * self._inverses[: len(self._sums) - n]


def mixed(values: Hashes) -> Hashes:
    """A one-to-one map that spreads every bit over the others."""
    values = (values ^ (values >> _HALF)) * _MIX
    values ^= values >> _HALF
    values *= _MIX
    return values ^ (values >> _HALF)


def hash_words(text: str) -> Hashes:
    """The hashes of the words of a text, as a document's `words.hashes` would hold them."""
    return Words(text).hashes


_tables: tuple[Hashes, Hashes] = (np.empty(0, np.uint64), np.empty(0, np.uint64))


def _powers(length: int) -> tuple[Hashes, Hashes]:
    """The powers of the base and of its inverse, at least `length` of each, kept for the next text."""
    global _tables
    if len(_tables[0]) < length:
        size = max(1 << (length - 1).bit_length(), 1 << 13)
        pair = []
        for base in (_BASE, _INVERSE):
            powers = np.full(size, base, np.uint64)
            powers[0] = 1
            pair.append(np.cumprod(powers))
        _tables = (pair[0], pair[1])
    return _tables[0][:length], _tables[1][:length]
