"""From token ids to text, one token at a time; the concatenation equals what `decode` makes of all tokens."""

from __future__ import annotations

from codecs import getincrementaldecoder

from tuili.store import AnyTokenizer

_Utf8Decoder = getincrementaldecoder("utf-8")


class IncrementalDetokenizer:
    """Decodes each token once. A character that spans several tokens is returned with the last of them.

    Special tokens have no text; `<think>` and `</think>` do not count as special.
    """

    def __init__(self, tokenizer: AnyTokenizer) -> None:
        self._texts, self._bytes = tokenizer.shown_texts, tokenizer.shown_bytes
        self._decoder = _Utf8Decoder(errors="replace")
        self._inside = False
        """Whether the last token ended in the middle of a character."""

    def add(self, token: int) -> str:
        """The text that a token adds."""
        if token >= len(self._texts):  # a model may have more ids than its tokenizer
            return ""
        text = None if self._inside else self._texts[token]
        if text is None:
            text = self._decoder.decode(self._bytes[token])
            self._inside = bool(self._decoder.getstate()[0])
        return text

    def flush(self) -> str:
        """The text of a character that was never completed."""
        self._inside = False
        return self._decoder.decode(b"", final=True)
