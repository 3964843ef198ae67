"""Drafts that are looked up: what followed the same few tokens before, in this text or in another response.

They cost no computing (Saxena 2023, "Prompt Lookup Decoding"; He et al. 2023, arXiv 2311.08252). Verifying them is left
to `speculative`: a wrong draft costs time and changes no text.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tuili.engine.sequence import Sequence

ORDERS = (4, 3, 2)
"""How many tokens are compared, the most first."""
MAX_TOKENS = 3
"""Tokens that are looked up at a time: with the one before them they are a block of rows of the native products."""
MAX_REMEMBERED = 1 << 16
"""Entries of other responses, of which each token makes one for each order; some megabytes."""


@dataclass
class _Own:
    """What followed tokens in a text, by their hash: a collision is a wrong draft. seen: tokens that are in it."""

    followers: dict[int, int] = field(default_factory=dict)
    seen: int = 0


class LookupDrafts:
    """What followed tokens in the texts of running sequences, and in responses of any, the latest of which are kept."""

    def __init__(self, most: int = MAX_REMEMBERED) -> None:
        self._most = most
        self._written: dict[int, int] = {}
        self._own: dict[Sequence, _Own] = {}

    def propose(self, sequence: Sequence, most: int) -> list[int]:
        """The tokens that may follow the text of a sequence, at most so many."""
        followers = self._learn(sequence).followers
        last, drafted = (*sequence.prompt[-ORDERS[0] :], *sequence.tokens[-ORDERS[0] :])[-ORDERS[0] :], list[int]()
        while len(drafted) < min(most, MAX_TOKENS):
            keys = [hash(last[-order:]) for order in ORDERS if order <= len(last)]
            found = (table[key] for key in keys for table in (followers, self._written) if key in table)
            if (token := next(found, None)) is None:
                break
            drafted.append(token)
            last = (*last, token)[-ORDERS[0] :]
        return drafted

    def drop(self, sequence: Sequence) -> None:
        """Forget the text of a sequence that has ended; what it has written is remembered for others."""
        if sequence in self._own:
            self._learn(sequence)
            del self._own[sequence]

    def _learn(self, sequence: Sequence) -> _Own:
        """Take in the tokens of a sequence that are new."""
        own, prompt = self._own.setdefault(sequence, _Own()), len(sequence.prompt)
        first = max(0, own.seen - ORDERS[0])
        text = (*sequence.prompt[first:], *sequence.tokens[max(0, first - prompt) :])
        for place in range(own.seen - first, len(text)):
            for order in ORDERS:
                if order <= place:
                    key = hash(text[place - order : place])
                    own.followers[key] = text[place]
                    if first + place >= prompt:
                        self._remember(key, text[place])
        own.seen = prompt + len(sequence.tokens)
        return own

    def _remember(self, key: int, token: int) -> None:
        self._written.pop(key, None)  # the latest stand at the end
        self._written[key] = token
        if len(self._written) > self._most:
            del self._written[next(iter(self._written))]
