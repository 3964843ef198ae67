"""One checked attempt at an answer, and the choice among several attempts.

`controller` decides how the next attempt begins; `promises` estimates the confidence in an answer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from math import exp, log
from statistics import fmean

from tuili.engine.proof import UNREAD_CLAIM, Proof
from tuili.engine.sequence import Sequence
from tuili.engine.trial import Trial
from tuili.engine.written import ParsedResponse

WRONG_STEP_WEIGHT = 0.1
"""Factor applied to the vote of an answer that has a shortcoming."""
CUT_OFF = "a limit has cut the answer off"
"""Why prose that was cut off is not a whole answer. Another attempt would have even less room."""
MIN_TOKEN_PROB = 1e-6
"""Lower bound on token probabilities, so that a single token does not dominate the mean."""


@dataclass(frozen=True)
class Attempt:
    """A sequence that has ended, and its parsed response, including any steps in the prompt.

    shortcoming: why the response is not acceptable as an answer; empty if it is. validity_logits, validity_probs: as in
    `Sequence`; empty if there is no verifier or it has not read the response. proof: what the response shows about the
    prompt's claim; None if there is no claim. trial: how its program performs on the examples in the prompt.
    """

    sequence: Sequence
    response: ParsedResponse
    shortcoming: str
    validity_logits: tuple[float, ...] = ()
    validity_probs: tuple[float, ...] = ()
    proof: Proof | None = None
    trial: Trial | None = None

    @cached_property
    def top_logprobs(self) -> list[float]:
        """For each decoded token, the log-probability of the likeliest token at its position."""
        return [log(max(prob, MIN_TOKEN_PROB)) for prob in self.sequence.top_probs]

    @cached_property
    def weight(self) -> float:
        """The weight of the attempt in a vote."""
        if not self.response.complete:
            return 0.0
        prob = self.validity_probs[-1] if self.validity_probs else exp(fmean(self.top_logprobs))
        return prob * (WRONG_STEP_WEIGHT if self.shortcoming else 1.0)


def best_of(attempts: Iterable[Attempt]) -> Attempt:
    """Choose the attempt to answer with. Attempts without a shortcoming come first, then those whose only shortcoming
    is an unreadable claim or being cut off. Ties are broken by the weighted votes for their answers.
    """
    attempts = list(attempts)
    votes: defaultdict[str, float] = defaultdict(float)
    for attempt in attempts:
        votes[attempt.response.answer] += attempt.weight
    ranks = {"": 2, UNREAD_CLAIM: 1, CUT_OFF: 1}
    return max(attempts, key=lambda each: (ranks.get(each.shortcoming, 0), votes[each.response.answer], each.weight))


def verifier_missed_some(attempts: Iterable[Attempt]) -> bool:
    """Whether the verifier should have read some attempt but could not."""
    return any(not (attempt.shortcoming or attempt.validity_logits) for attempt in attempts)


def sigmoid(logit: float) -> float:
    """1 / (1 + exp(-logit)) without overflow."""
    return 1 / (1 + exp(-logit)) if logit >= 0 else 1 - 1 / (1 + exp(logit))
