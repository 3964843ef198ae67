"""Verified drafts: the trunk guesses some tokens ahead, then the full depth reads them all at once and keeps those that
it would have written itself (speculative decoding with the model's own first layers: Leviathan et al. 2023, arXiv
2211.17192; Zhang et al. 2024, arXiv 2309.08168).

What is written equals plain full depth token for token. How far a row may be drafted, and what becomes of the tokens,
is left to `scheduler`.

Dimensions: A rows, T tokens of each, M hidden size, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from tuili.engine.runtime.torch.kv_cache import Slots
from tuili.engine.runtime.torch.lean_model import Network
from tuili.engine.sequence import Row

DRAFTS = 12
"""Tokens that are drafted before they are verified, at most."""
SURE = 0.7
"""Under this probability a guess is so often wrong that what is drafted behind it would be in vain."""


@dataclass
class Draft:
    """What the trunk has guessed for one row: the ids, and the states [1, M] that they were guessed from."""

    ids: list[int] = field(default_factory=list)
    hidden: list[Tensor] = field(default_factory=list)
    doubtful: bool = False
    """Whether a guess may well be wrong, or ends the text: the next ones may be in vain."""
    full: bool = False
    """Whether no more may be drafted."""


@dataclass(frozen=True)
class Verified:
    """What the full depth wrote for one row, with the probabilities of its tokens; `drafted` of them were read."""

    tokens: list[int]
    chances: list[float]
    drafted: int


class Drafting:
    """The drafts of all rows that are written so."""

    def __init__(self, network: Network, slots: Slots, end_id: int) -> None:
        self._network, self._slots, self._end_id = network, slots, end_id
        self._drafts: dict[Row, Draft] = {}

    def ahead(self, row: Row) -> int:
        """How many tokens of a row are drafted."""
        return len(self._drafts[row].ids) if row in self._drafts else 0

    def last(self, row: Row) -> int:
        """The last token of a row, drafts included: what the trunk reads next."""
        return self._drafts[row].ids[-1] if row in self._drafts else row.tokens[-1]

    def drop(self, row: Row) -> None:
        """Forget the draft of a row, if there is one."""
        self._drafts.pop(row, None)

    def guess(self, hidden_A1M: Tensor, rows: Sequence[Row], most: Sequence[int]) -> bool:
        """Let the trunk guess the next token of each row, `most` tokens ahead at most. Returns whether to verify: all
        rows together, when one can wait no longer or the next guesses would be in vain for all.
        """
        logits_AV = self._network.exit(hidden_A1M)[:, 0]
        guesses, chances = logits_AV.argmax(-1).tolist(), logits_AV.softmax(-1).amax(-1).tolist()
        found = zip(hidden_A1M, guesses, chances, rows, most, strict=True)
        for hidden_1M, guess, chance, row, room in found:
            draft = self._drafts.setdefault(row, Draft())
            draft.ids.append(guess)
            draft.hidden.append(hidden_1M)
            draft.doubtful |= chance < SURE or guess == self._end_id
            draft.full = len(draft.ids) >= min(DRAFTS, room)
        own = [self._drafts[row] for row in rows]
        return any(draft.full for draft in own) or all(draft.doubtful for draft in own)

    def verify(self, first: int, rows: Sequence[Row]) -> list[Verified]:
        """Take the drafts of rows in adjacent slots, as long as each other, to the full depth: what that writes is
        kept up to the first token that was not guessed, and that one. Drafts that were not kept leave the slots.
        """
        drafts = [self._drafts.pop(row) for row in rows]
        hidden_ATM = torch.stack([torch.stack(draft.hidden, dim=1)[0] for draft in drafts])
        logits_ATV = self._network.exit(self._network.to_full_depth(self._slots, first, hidden_ATM))
        written, chances = logits_ATV.argmax(-1).tolist(), logits_ATV.softmax(-1).amax(-1).tolist()
        found = []
        for place, (draft, own, sure) in enumerate(zip(drafts, written, chances, strict=True), first):
            count = len(own)
            kept = next((at + 1 for at in range(count) if own[at] != draft.ids[at]), count)
            if kept < count:
                self._slots.truncate(place, self._slots.length[place] - (count - kept))
            found.append(Verified(own[:kept], sure[:kept], count))
        return found
