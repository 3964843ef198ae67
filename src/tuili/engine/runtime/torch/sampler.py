"""Sampling tokens from logits. Each sequence with a temperature has a random generator of its own.

So the tokens of a sequence depend on its seed and its own logits, and not on the sequences decoded beside it.

Dimensions: A sequences, T tokens, V vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tuili.engine.request import Sampling
from tuili.engine.sequence import Sequence, TokenLogprobs


class Sampler:
    """Draws tokens, and keeps the generators of running sequences."""

    def __init__(self) -> None:
        self._generators: dict[Sequence, torch.Generator] = {}

    def draw(self, logits_AV: Tensor, sequences: list[Sequence]) -> list[int]:
        """The next token of each sequence."""
        tokens: list[int] = logits_AV.argmax(-1).tolist()
        for index, sequence in enumerate(sequences):
            if sequence.sampling.temperature > 0:
                prob_V = probabilities(logits_AV[index], sequence.sampling).cpu()
                if bool(prob_V.isfinite().all()):  # a broken model must not end the step of the other sequences
                    tokens[index] = int(torch.multinomial(prob_V, 1, generator=self._generator(sequence)))
        return tokens

    def forget(self, sequence: Sequence) -> None:
        """Drop the generator of a sequence that has ended."""
        self._generators.pop(sequence, None)

    def _generator(self, sequence: Sequence) -> torch.Generator:
        if sequence not in self._generators:
            self._generators[sequence] = torch.Generator().manual_seed(sequence.sampling.seed)
        return self._generators[sequence]


def logprobs(
    logits: Tensor, place: slice | tuple[int, slice], tokens: list[int], sampling: Sampling
) -> list[TokenLogprobs]:
    """The log-probabilities of tokens and of the likeliest ones, where the sampling asks for them; else nothing.

    Args:
        place: where in `logits` the rows of these tokens are, which are only taken out if they are needed.
    """
    return [] if sampling.logprobs is None else token_logprobs(logits[place], tokens, sampling.logprobs)


def token_logprobs(logits_TV: Tensor, tokens: list[int], most: int) -> list[TokenLogprobs]:
    """The log-probability of one token in each row, and of the `most` likeliest ones."""
    log_TV = logits_TV.double().log_softmax(-1)
    best = log_TV.topk(min(most, log_TV.shape[-1]))
    chosen = log_TV.gather(-1, torch.tensor(tokens, device=log_TV.device).long()[:, None])[:, 0].tolist()
    rows = zip(chosen, best.indices.tolist(), best.values.tolist(), strict=True)
    return [TokenLogprobs(one, tuple(zip(ids, values, strict=True))) for one, ids, values in rows]


def probabilities(logits_V: Tensor, sampling: Sampling) -> Tensor:
    """The probability [V] of each token under a temperature above 0, `top_k` and `top_p`. At least one is above 0.

    Nucleus sampling: Holtzman et al. 2020, arXiv 1904.09751. A temperature close to 0 becomes greedy.
    """
    scaled_V = (logits_V.double() - logits_V.double().max()) / sampling.temperature
    prob_V = scaled_V.softmax(-1)
    if sampling.top_k == 0 and sampling.top_p == 1:
        return prob_V
    ordered = prob_V.sort(descending=True, stable=True)
    kept_V = ordered.values.cumsum(-1) - ordered.values < sampling.top_p
    if sampling.top_k:
        kept_V[sampling.top_k :] = False
    kept_V[0] = True
    prob_V = torch.zeros_like(prob_V).scatter_(-1, ordered.indices, ordered.values * kept_V)
    return prob_V / prob_V.sum()
