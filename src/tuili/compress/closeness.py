"""How close what was made of a model is to it: what both say of texts that the recovery has not read.

Dimensions: N learnt tokens.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch

from tuili.compress.healing import forward_kl
from tuili.compress.network import Network
from tuili.data import Block

MEASURED_DOCUMENTS = 100
"""On which an imported model is compared with its parent."""


@torch.no_grad()
def closeness(parent: Network, model: Network, blocks: Iterable[Block]) -> dict[str, float]:
    """The figures of a lineage, over all learnt tokens of the blocks.

    `loss`: the forward KL divergence of what the model predicts from what its parent does, in nats a token.
    `agreement`: the share of tokens for which both find the same next one likeliest. `accuracy`: of those that the
    model foresees.
    """
    tokens, divergence, agreeing, right = 0, 0.0, 0, 0
    for number, block in enumerate(blocks):
        aim, states = parent.read(block, number), model.read(block, number)
        mean, agrees_N, right_N = forward_kl(aim, states)
        tokens += len(right_N)
        divergence += mean.item() * len(right_N)
        agreeing += int(agrees_N.sum())
        right += int(right_N.sum())
    count = max(1, tokens)
    return {"loss": divergence / count, "agreement": agreeing / count, "accuracy": right / count}
