"""The one pass over a text that all blocks share: its words and lines as arrays, and their hashes.

A word is a run of letters and digits, or one Han character, in lower case. `kernels` finds and hashes the words;
`repetition` and the blocks measure them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, wraps
from typing import Any, TypeVar

import numpy as np

from tuili.data.pipeline.characters import Class, Codes
from tuili.data.pipeline.kernels import kernels, scanned
from tuili.native import Hashes, Places

Told = TypeVar("Told")


class Words:
    """The words and lines of a text. Each array is computed when it is first requested.

    Positions count the characters of the lower-cased text, which a few rare letters make longer than the text, without
    ignored characters.
    """

    def __init__(self, text: str) -> None:
        """Raises `UnicodeEncodeError` for a text with unpaired surrogates, which readers refuse."""
        self.told = dict[Callable[[Words], Any], Any]()
        """Cached results of the functions decorated with `once`."""
        self._ngrams: dict[int, Hashes] = {}
        found = scanned(text.lower())
        self.codes = found.codes
        """The lower-case characters, as code points [characters]."""
        self.classes = found.classes
        """The class of each character [characters]."""
        self.class_counts = found.class_counts
        """How many characters each class has [classes]."""
        self.starts = found.starts
        """Where each word begins [words]."""
        self.ends = found.ends
        """Where each word ends, exclusive [words]."""
        self.hashes = found.hashes
        """A hash of each word [words]. Equal words have equal hashes in every document and on every machine."""

    @cached_property
    def visible(self) -> int:
        """The number of characters that are not spaces; at least 1, to divide by."""
        return max(1, len(self.codes) - self.class_counts[Class.SPACE] - self.class_counts[Class.NEWLINE])

    @property
    def mostly_han(self) -> bool:
        """Whether most words are Han characters."""
        return 2 * self.class_counts[Class.HAN] > len(self)

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

    def ngrams(self, n: int) -> Hashes:
        """A hash of each run of n words [words - n + 1], none for fewer than n words. For n = 1 this is `hashes`."""
        if n not in self._ngrams:
            self._ngrams[n] = self.hashes if n == 1 else kernels().runs(self.hashes, n)
        return self._ngrams[n]

    @cached_property
    def newlines(self) -> Places:
        """Where lines end [newlines]."""
        return np.flatnonzero(self.classes == Class.NEWLINE)

    @cached_property
    def _line_bounds(self) -> tuple[Places, Places]:
        """The word indices at which each line that holds words begins and ends."""
        cuts = np.concatenate([[0], self.starts.searchsorted(self.newlines), [len(self)]])
        held = cuts[1:] > cuts[:-1]
        return cuts[:-1][held], cuts[1:][held]

    @cached_property
    def line_starts(self) -> Places:
        """The first word of each line that holds words [lines]."""
        return self._line_bounds[0]

    @cached_property
    def line_ends(self) -> Places:
        """The word after the last word of each line [lines]."""
        return self._line_bounds[1]

    @cached_property
    def line_hashes(self) -> Hashes:
        """A hash of the words of each line [lines]: spaces and punctuation do not count."""
        return kernels().stretches(self.hashes, self.line_starts, self.line_ends)

    @cached_property
    def line_lengths(self) -> Places:
        """Characters of each line, from its first word to its last [lines]."""
        return self.ends[self.line_ends - 1] - self.starts[self.line_starts]

    @cached_property
    def line_last_codes(self) -> Codes:
        """The last character of each line that is not a space [lines]."""
        (visible,) = (self.classes > Class.NEWLINE).nonzero()
        newlines = np.append(self.newlines, len(self.codes))
        ends = newlines[newlines.searchsorted(self.ends[self.line_ends - 1])]
        return self.codes[visible[visible.searchsorted(ends) - 1]]


def once(tell: Callable[[Words], Told]) -> Callable[[Words], Told]:
    """Cache a function, so that it is computed once for the words of a document, however many blocks call it."""

    @wraps(tell)
    def told(words: Words) -> Told:
        if tell not in words.told:
            words.told[tell] = tell(words)
        value: Told = words.told[tell]
        return value

    return told


def hash_words(text: str) -> Hashes:
    """The hashes of the words of a text, as a document's `words.hashes` would hold them."""
    return Words(text).hashes
