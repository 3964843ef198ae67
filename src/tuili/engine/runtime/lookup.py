"""Looked-up drafts: the tokens that followed the same few tokens before, in this text or in another response.

They need no computation (Saxena 2023, "Prompt Lookup Decoding"; He et al. 2023, arXiv 2311.08252). Each comes with an
estimate of how likely it is right, from which `draft_plan` decides how many pay off; `speculative` verifies them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from tuili.engine.sequence import Sequence

ORDERS = (4, 3, 2, 1)
"""The numbers of tokens compared, largest first."""
MAX_TOKENS = 7
"""Maximum tokens per lookup: with the token before them, they are two blocks of rows of the native products."""
PRIORS = (0.4, 0.55, 0.65, 0.8)
"""Initial estimates of how often a token is right, by its streak: how often it has followed the same tokens without any
other in between. Longer streaks are no more reliable."""
PRIOR_WEIGHT, MAX_WEIGHT = 8.0, 500.0
"""The tokens that a prior counts for, and the maximum that measurements count for, so that they stay recent."""
MIN_CHANCE = 0.05
"""Minimum probability that a proposed token and those before it are right."""
MAX_REMEMBERED = 1 << 17
"""Maximum entries for other responses; each token makes one entry per order. They take some megabytes."""
Followers = dict[int, tuple[int, int]]
"""What followed some tokens, by their hash: a token and its streak. A collision causes a wrong draft."""


class Guess(NamedTuple):
    """A token that may follow, the probability that it and all before it are right, and the kind of its match."""

    token: int
    chance: float
    kind: int


@dataclass
class _Text:
    """What followed tokens in a running text, how many of its tokens have been learnt, and the current guesses."""

    followers: Followers = field(default_factory=dict)
    seen: int = 0
    guessed: list[Guess] = field(default_factory=list)


class LookupDrafts:
    """What followed tokens in the texts of running sequences and in past responses, of which the latest are kept."""

    def __init__(self, most: int = MAX_REMEMBERED) -> None:
        self._most = most
        self._written: Followers = {}
        self._texts: dict[Sequence, _Text] = {}
        self._rates = [(prior, PRIOR_WEIGHT) for _ in range(2 * len(ORDERS)) for prior in PRIORS]
        """How often tokens were right, by kind of match, and the number of tokens in that measurement."""

    def propose(self, sequence: Sequence, most: int) -> list[Guess]:
        """Propose at most `most` tokens that may follow the text of a sequence."""
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
        """What followed the last tokens, each with its own probability."""
        for place, order in enumerate(ORDERS):
            key = hash(tuple(last[-order:]))
            for source, table in enumerate((followers, self._written)):
                if (found := table.get(key)) is not None:
                    kind = (2 * place + source) * len(PRIORS) + found[1]
                    yield Guess(found[0], self._rates[kind][0], kind)

    def rewind(self, sequence: Sequence) -> None:
        """Record that the last tokens of a sequence have been taken back."""
        if (text := self._texts.get(sequence)) is not None:
            text.seen, text.guessed = min(text.seen, len(sequence.prompt) + len(sequence.tokens)), []

    def drop(self, sequence: Sequence) -> None:
        """Forget the text of a sequence that has ended; its response is remembered for others."""
        if sequence in self._texts:
            self._learn(sequence)
            del self._texts[sequence]

    def _learn(self, sequence: Sequence) -> _Text:
        """Learn the new tokens of a sequence, and which of the last guesses were right."""
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
    """Record that a token followed. The latest entries are at the end."""
    known, streak = followers.pop(key, (token, -1))
    followers[key] = token, min(streak + 1, len(PRIORS) - 1) if known == token else 0
