"""How close a changed model is to its parent: compares their predictions on texts that the recovery has not read.

Dimensions: N learnt tokens.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch

from tuili.compress.healing import forward_kl
from tuili.compress.network import Network
from tuili.data import Block

MEASURED_DOCUMENTS = 100
"""The documents on which an imported model is compared with its parent."""


@torch.no_grad()
def closeness(parent: Network, model: Network, blocks: Iterable[Block]) -> dict[str, float]:
    """The lineage's figures, over all learnt tokens of the blocks.

    `loss`: the forward KL divergence of the model's predictions from its parent's, in nats per token. `agreement`: the
    share of tokens at which both find the same next token likeliest. `accuracy`: the share that the model predicts
    correctly.
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
