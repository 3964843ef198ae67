"""How familiar a prompt is: whether the model's training has read similar text.

The score of a prompt is the mean of two shares: the share of its token pairs that training has never read, and the same
share of its token triples. The tokens that a template puts around every question are ignored, because a short question
would be lost among them. The p-value is conformal (Vovk et al. 2005): the share of reference prompts with at least this
score. The references were scored as if training had not read their forms, so that a new way of asking something known
is familiar, and a question about something else is not. Nothing is promised about an unfamiliar prompt. The references
are not part of the sample on which promises are tested.

The score depends only on the token ids, so it costs the same whatever the prefix cache holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tuili.store import FamiliarityFile, ngrams_of, novelty


@dataclass(frozen=True)
class Familiar:
    """The p-value of a prompt, and the level below which a prompt is unfamiliar."""

    p: float
    level: float

    @property
    def enough(self) -> bool:
        """Whether the prompt is familiar."""
        return self.p >= self.level

    @property
    def reason(self) -> str:
        """Why nothing is promised; empty if the prompt is familiar."""
        if self.enough:
            return ""
        return f"it is unlike those that the model has learnt from (p = {self.p:.2g}, and {self.level:g} is needed)"


class Familiarity:
    """Measures how familiar prompts are."""

    def __init__(self, stored: FamiliarityFile) -> None:
        self._stored = stored

    def of(self, ids: Sequence[int]) -> Familiar:
        """How familiar a prompt of these tokens is."""
        score_N = self._stored.score_N
        as_high = len(score_N) - int(np.searchsorted(score_N, np.float32(self.score(ids))))
        return Familiar((1 + as_high) / (1 + len(score_N)), self._stored.level)

    def score(self, ids: Sequence[int]) -> float:
        """The mean of two shares: of the pairs and of the triples of these tokens that training has never read."""
        return novelty(ngrams_of(self._stored.scored(ids), self._stored.class_V), self._stored.knows)
