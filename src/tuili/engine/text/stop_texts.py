"""Stop texts: finding them while tokens are decoded, and holding back text that may become one.

Both classes read every piece of text once and remember no more of it than the length of a stop text.
"""

from __future__ import annotations

from tuili.engine.text.detokenizer import IncrementalDetokenizer
from tuili.store import AnyTokenizer


class StopTextFinder:
    """Searches for the stop texts of one sequence, token by token."""

    def __init__(self, tokenizer: AnyTokenizer, stops: tuple[str, ...]) -> None:
        self._detokenizer, self._stops = IncrementalDetokenizer(tokenizer), stops
        self._kept = max(map(len, stops)) - 1
        """Maximum characters of a stop text that may precede the last token."""
        self._tail = ""

    def add(self, token: int) -> bool:
        """Whether this token completes a stop text."""
        text = self._tail + self._detokenizer.add(token)
        self._tail = text[-self._kept :] if self._kept else ""
        return any(stop in text for stop in self._stops)


class StopTextFilter:
    """Passes the text before the first stop text, and holds back text that may become one."""

    def __init__(self, stops: tuple[str, ...]) -> None:
        self._stops, self._withheld = stops, ""

    def add(self, text: str, ends: bool) -> str:
        """The part of the text so far that can now be shown and has not been shown yet."""
        pending = self._withheld + text
        end = min((pending.index(stop) for stop in self._stops if stop in pending), default=None)
        if end is None:
            partial = (_partial_stop(pending, stop) for stop in self._stops)
            end = len(pending) if ends else min(partial, default=len(pending))
        self._withheld = pending[end:]
        return pending[:end]


def _partial_stop(text: str, stop: str) -> int:
    """The start of the longest suffix of a text that is a prefix of a stop text; the length if there is none."""
    starts = range(max(0, len(text) - len(stop) + 1), len(text))
    return next((start for start in starts if stop.startswith(text[start:])), len(text))
