"""Tracks the state of a text in its grammar, and which tokens may come next.

Dimensions: V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tuili.grammars.compiler import CompiledGrammar


class GrammarState:
    """Follows one text, token by token. Tokens may be taken back: each call passes everything written so far."""

    def __init__(self, grammar: CompiledGrammar) -> None:
        self._grammar = grammar
        self._restart()

    def _restart(self) -> None:
        self._matcher, self._read = self._grammar.matcher.deep_copy(), list[int]()
        self._allowed_V: NDArray[np.bool_] | None = None

    def allowed(self, written: Sequence[int]) -> NDArray[np.bool_]:
        """For each token, whether it may come next [V].

        Tokens that end a text are allowed if the grammar accepts the text, and after one of them. They are also the
        only tokens allowed if the grammar exceeds its work limit: such a text is not accepted in the end.
        """
        if self._matcher.is_error():
            self._restart()
        if not self._follow(list(written)):
            return self._grammar.ends_V
        if self._allowed_V is None:
            bits = np.frombuffer(self._matcher.compute_bitmask(), np.uint8)
            self._allowed_V = np.unpackbits(bits, bitorder="little").view(np.bool_)
            if self._matcher.is_error() or not self._allowed_V.any():
                self._allowed_V = self._grammar.ends_V
        return self._allowed_V

    def accepts(self, written: Sequence[int]) -> bool:
        """Whether the grammar accepts the text; the final token ends it and is not part of it."""
        return not self._follow(list(written)) and len(self._read) == len(written) - 1 and self._matcher.is_accepting()

    def _follow(self, written: list[int]) -> bool:
        """Take back tokens that are no longer written, and read new ones. Returns whether the text may continue."""
        read = self._read
        if read != written[: len(read)]:
            kept = next(place for place, token in enumerate(read) if written[place : place + 1] != [token])
            self._matcher.rollback(len(read) - kept)
            del read[kept:]
            self._allowed_V = None
        new = written[len(read) :]
        # The matcher does not count a token that ends the text, so it could not take it back.
        stop = next((place for place, token in enumerate(new) if token in self._grammar.end_ids), len(new))
        taken = self._matcher.try_consume_tokens(new[:stop])
        if taken:
            read += new[:taken]
            self._allowed_V = None
        return taken == len(new)
