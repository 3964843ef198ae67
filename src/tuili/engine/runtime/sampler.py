"""Samples tokens from logits. Each sequence with a temperature has its own random generator.

So the tokens of a sequence depend on its seed and its own logits, not on other sequences in the batch.

Dimensions: T tokens, V vocabulary, N tokens that may be sampled.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tuili.engine.request import Sampling
from tuili.engine.sequence import Sequence, TokenLogprobs

Logits = NDArray[np.float32]
Probabilities = NDArray[np.float64]


class Sampler:
    """Samples tokens, and keeps the generators of running sequences."""

    def __init__(self) -> None:
        self._generators: dict[Sequence, np.random.Generator] = {}

    def draw(self, logits_V: Logits, sequence: Sequence) -> int | None:
        """The next token of a sequence that has a temperature. None if its largest logit is not finite, because a
        broken model must not end the step of the other sequences."""
        if not np.isfinite(logits_V.max()):
            return None
        prob_V = probabilities(logits_V, sequence.sampling)
        generator = self._generators.get(sequence)
        if generator is None:
            generator = np.random.Generator(np.random.Philox(key=sequence.sampling.seed))
            self._generators[sequence] = generator
        sum_V = prob_V.cumsum()
        return int(sum_V[:-1].searchsorted(generator.random() * sum_V[-1], side="right"))

    def forget(self, sequence: Sequence) -> None:
        """Drop the generator of a sequence that has ended."""
        self._generators.pop(sequence, None)


def token_logprobs(logits_TV: Logits, tokens: list[int], most: int) -> list[TokenLogprobs]:
    """The log-probability of one token in each row, and of the `most` likeliest ones; ties go to the lower id."""
    told = []
    for token, logits_V in zip(tokens, logits_TV, strict=True):
        log_V = logits_V - np.float64(logits_V.max())
        log_V -= np.log(np.exp(log_V).sum())
        top = tuple((place, float(log_V[place])) for place in _largest(log_V, most))
        told.append(TokenLogprobs(float(log_V[token]), top))
    return told


def _largest(log_V: Probabilities, most: int) -> list[int]:
    """The indices of the `most` largest values, largest first."""
    if most == 0:
        return []
    least = np.partition(log_V, -most)[-most] if most < len(log_V) else -np.inf
    least = max(least, np.finfo(np.float64).min)  # tokens not chosen among have no probability
    candidates = np.flatnonzero(log_V >= least)
    order = np.argsort(-log_V[candidates], kind="stable")[:most]
    return [int(place) for place in candidates[order]]


def probabilities(logits_V: Logits, sampling: Sampling) -> Probabilities:
    """The probability [V] of each token under a temperature above 0, `top_k` and `top_p`. At least one is above 0.

    Nucleus sampling: Holtzman et al. 2020, arXiv 1904.09751. A temperature close to 0 becomes greedy.
    """
    with np.errstate(over="ignore"):  # minus infinity is right for all but the best
        scaled_V = (logits_V.astype(np.float64) - float(logits_V.max())) / sampling.temperature
    prob_V: Probabilities = np.exp(scaled_V)
    prob_V /= prob_V.sum()
    if sampling.top_k == 0 and sampling.top_p == 1:
        return prob_V
    # Tokens below the mean of the mass that may be left out come last, so only a few tokens need sorting.
    least = (1 - sampling.top_p) / len(prob_V)
    if 0 < sampling.top_k < len(prob_V):
        least = max(least, np.partition(prob_V, -sampling.top_k)[-sampling.top_k])
    places = np.flatnonzero(prob_V >= least)
    places = places[np.argsort(-prob_V[places], kind="stable")][: sampling.top_k or None]
    prob_N = prob_V[places]
    kept_N = prob_N.cumsum() - prob_N < sampling.top_p
    kept_N[0] = True
    prob_V = np.zeros_like(prob_V)
    prob_V[places[kept_N]] = prob_N[kept_N]
    prob_V /= prob_V.sum()
    return prob_V
