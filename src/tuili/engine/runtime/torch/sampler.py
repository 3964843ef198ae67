"""Drawing tokens from logits. Greedy rows are drawn together, each other row with a generator of its own.

A row's draws depend on its seed and its own logits alone, not on the company it keeps.

Dimensions: A rows, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tuili.engine.request import Sampling
from tuili.engine.sequence import Row


def draw(logits_AV: Tensor, rows: Sequence[Row]) -> list[int]:
    """The next token of each row."""
    tokens: list[int] = logits_AV.argmax(-1).tolist()
    for index, row in enumerate(rows):
        if row.sampling.temperature > 0:
            if row.generator is None:
                row.generator = torch.Generator().manual_seed(row.sampling.seed)
            chance_V = probabilities(logits_AV[index], row.sampling).cpu()
            if bool(chance_V.isfinite().all()):  # else the model is broken, which the others are not to feel
                tokens[index] = int(torch.multinomial(chance_V, 1, generator=row.generator))
    return tokens


def note_logprobs(logits_AV: Tensor, tokens: Sequence[int], rows: Sequence[Row]) -> None:
    """Write down the log-probabilities of tokens that were drawn from these logits, where rows ask for them."""
    for index, row in enumerate(rows):
        if row.sampling.logprobs is not None:
            log_V = logits_AV[index].double().log_softmax(-1)
            best = log_V.topk(min(row.sampling.logprobs, len(log_V)))
            likeliest = tuple(zip(best.indices.tolist(), best.values.tolist(), strict=True))
            row.logprobs.append((float(log_V[tokens[index]]), likeliest))


def probabilities(logits_V: Tensor, sampling: Sampling) -> Tensor:
    """The probability [V] of each token under a temperature above 0, `top_k` and `top_p`: at least one stays possible.

    Nucleus: Holtzman et al. 2020, arXiv 1904.09751. A temperature next to 0 is as good as greedy.
    """
    scaled_V = (logits_V.double() - logits_V.double().max()) / sampling.temperature
    chance_V = scaled_V.softmax(-1)
    if sampling.top_k == 0 and sampling.top_p == 1:
        return chance_V
    ordered = chance_V.sort(descending=True, stable=True)
    kept_V = ordered.values.cumsum(-1) - ordered.values < sampling.top_p
    if sampling.top_k:
        kept_V[sampling.top_k :] = False
    kept_V[0] = True
    chance_V = torch.zeros_like(chance_V).scatter_(-1, ordered.indices, ordered.values * kept_V)
    return chance_V / chance_V.sum()
