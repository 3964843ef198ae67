"""Drafts that are looked up: what followed the same few tokens before, in this text or in another response.

They cost no computing (Saxena 2023, "Prompt Lookup Decoding"; He et al. 2023, arXiv 2311.08252). How many of them pay
is left to `draft_plan`, for which each tells how likely it is right; verifying them to `speculative`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from tuili.engine.sequence import Sequence

ORDERS = (4, 3, 2, 1)
"""How many tokens are compared, the most first."""
MAX_TOKENS = 7
"""Tokens that are looked up at a time: with the one before them they are two blocks of rows of the native products."""
PRIORS = (0.4, 0.55, 0.65, 0.8)
"""How often a token is right before anything was measured, by its streak: how often it has followed the same tokens
without another in between. Longer streaks are no surer."""
PRIOR_WEIGHT, MAX_WEIGHT = 8.0, 500.0
"""Tokens that a prior counts for; and those that what was measured counts for at most, so that it stays of late."""
MIN_CHANCE = 0.05
"""A token is not told where it and those before it are right less often."""
MAX_REMEMBERED = 1 << 17
"""Entries of other responses, of which each token makes one for each order; some megabytes."""
Followers = dict[int, tuple[int, int]]
"""What followed some tokens, by their hash: a token and its streak. A collision is a wrong draft."""


class Guess(NamedTuple):
    """A token that may follow: how likely it and all before it are right, and the kind of match that it comes from."""

    token: int
    chance: float
    kind: int


@dataclass
class _Text:
    """What followed tokens in a running text, how many of its tokens are in it, and what was guessed behind these."""

    followers: Followers = field(default_factory=dict)
    seen: int = 0
    guessed: list[Guess] = field(default_factory=list)


class LookupDrafts:
    """What followed tokens in the texts of running sequences, and in responses of any, the latest of which are kept."""

    def __init__(self, most: int = MAX_REMEMBERED) -> None:
        self._most = most
        self._written: Followers = {}
        self._texts: dict[Sequence, _Text] = {}
        self._rates = [(prior, PRIOR_WEIGHT) for _ in range(2 * len(ORDERS)) for prior in PRIORS]
        """How often tokens were right, by the kind of match, and the tokens that this was measured with."""

    def propose(self, sequence: Sequence, most: int) -> list[Guess]:
        """The tokens that may follow the text of a sequence, at most so many."""
        text = self._learn(sequence)
        last, chance = [*sequence.prompt[-ORDERS[0] :], *sequence.tokens[-ORDERS[0] :]], 1.0
        while len(text.guessed) < min(most, MAX_TOKENS):
            guess = max(self._guesses(last, text.followers), key=lambda each: each.chance, default=None)
            if guess is None or (chance := chance * guess.chance) < MIN_CHANCE:
                break
            text.guessed.append(guess._replace(chance=chance))
            last.append(guess.token)
        return text.guessed

    def _guesses(self, last: list[int], followers: Followers) -> Iterator[Guess]:
        """What followed the last tokens, each with a chance of its own."""
        for place, order in enumerate(ORDERS):
            key = hash(tuple(last[-order:]))
            for source, table in enumerate((followers, self._written)):
                if (found := table.get(key)) is not None:
                    kind = (2 * place + source) * len(PRIORS) + found[1]
                    yield Guess(found[0], self._rates[kind][0], kind)

    def rewind(self, sequence: Sequence) -> None:
        """Note that the last tokens of a sequence have been taken back."""
        if (text := self._texts.get(sequence)) is not None:
            text.seen, text.guessed = min(text.seen, len(sequence.prompt) + len(sequence.tokens)), []

    def drop(self, sequence: Sequence) -> None:
        """Forget the text of a sequence that has ended; what it has written is remembered for others."""
        if sequence in self._texts:
            self._learn(sequence)
            del self._texts[sequence]

    def _learn(self, sequence: Sequence) -> _Text:
        """Take in the tokens of a sequence that are new, and which of the last guesses were right."""
        text, prompt = self._texts.setdefault(sequence, _Text()), len(sequence.prompt)
        first = max(0, text.seen - ORDERS[0])
        ids = sequence.prompt[first:] + sequence.tokens[max(0, first - prompt) :]
        for guess, came in zip(text.guessed, ids[text.seen - first :], strict=False):
            rate, weight = self._rates[guess.kind]
            right = guess.token == came
            self._rates[guess.kind] = rate + (right - rate) / (weight + 1), min(weight + 1, MAX_WEIGHT)
            if not right:
                break
        text.guessed = []
        for place in range(text.seen - first, len(ids)):
            for order in ORDERS:
                if order <= place:
                    key = hash(tuple(ids[place - order : place]))
                    _note(text.followers, key, ids[place])
                    if first + place >= prompt:
                        _note(self._written, key, ids[place])
        while len(self._written) > self._most:
            del self._written[next(iter(self._written))]
        text.seen = first + len(ids)
        return text


def _note(followers: Followers, key: int, token: int) -> None:
    """Note that a token followed. The latest stand at the end."""
    known, streak = followers.pop(key, (token, -1))
    followers[key] = token, min(streak + 1, len(PRIORS) - 1) if known == token else 0
