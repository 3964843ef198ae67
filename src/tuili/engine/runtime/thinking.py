"""Which sequences are inside their thinking, token by token: for models that think in a small set of tokens.

There, a token is chosen only among `ids`. `logit_bias`, which also applies biases and grammars, runs the head for them.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence as Tokens
from copy import copy

import numpy as np
from numpy.typing import NDArray

from tuili.engine.sequence import Sequence
from tuili.engine.text.prose import ProseReader, begins_inside
from tuili.store import AnyTokenizer

PART = "\ufffd"
"""Stands for a part of a character: no tag contains one."""


class ThinkingRows:
    """Follows the responses of running sequences.

    Args:
        ids: the tokens that are chosen among in thinking.
    """

    def __init__(self, tokenizer: AnyTokenizer, ids: NDArray[np.int32]) -> None:
        self.ids, self._tokenizer = ids, tokenizer
        self._read = dict[Sequence, tuple[ProseReader, int]]()
        """The reader of each sequence's response, and how many of its tokens it has read."""

    def inside(self, sequence: Sequence, drafted: Tokens[int] = ()) -> bool:
        """Whether the next token of a sequence belongs to its thinking, if `drafted` follow its tokens."""
        if sequence not in self._read:
            self._read[sequence] = ProseReader(begins_inside(self._tokenizer, sequence)), 0
        reader, known = self._read[sequence]
        self._add(reader, sequence.tokens[known:])
        self._read[sequence] = reader, len(sequence.tokens)
        if drafted:
            reader = copy(reader)
            self._add(reader, drafted)
        return reader.thinking

    def drop(self, sequence: Sequence) -> None:
        """Forget a sequence that has ended."""
        self._read.pop(sequence, None)

    def _add(self, reader: ProseReader, tokens: Iterable[int]) -> None:
        texts = self._tokenizer.shown_texts
        for token in tokens:
            text = texts[token] if token < len(texts) else ""
            reader.add(PART if text is None else text, ends=False)
