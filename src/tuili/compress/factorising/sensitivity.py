"""How much each matrix matters: what the model's predictions lose if only that matrix is approximated."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from tuili.compress.healing import forward_kl
from tuili.compress.network import Network, TokenStates
from tuili.compress.watch import Watch
from tuili.data import Block


@torch.no_grad()
def divergences(
    network: Network, matrices: Mapping[str, nn.Parameter], names: Sequence[str],
    approximation: Callable[[str], Tensor], blocks: Sequence[Block], watch: Watch,
) -> dict[str, float]:  # fmt: skip
    """The mean KL divergence of the model from itself, in nats per token, with one matrix approximated at a time.

    network: reads the model that has the matrices, which are restored at the end.
    """
    aims = [network.read(block, number) for number, block in enumerate(blocks)]
    found = {}
    for name in watch.counted(names, "sensitivity", "matrices"):
        matrix = matrices[name]
        before, other = matrix.detach().clone(), approximation(name)
        matrix.copy_(other)
        found[name] = divergence(network, aims, blocks)
        matrix.copy_(before)
    return found


@torch.no_grad()
def divergence(network: Network, aims: Sequence[TokenStates], blocks: Sequence[Block]) -> float:
    """The mean KL divergence of a model's predictions on blocks from its earlier ones, in nats per token."""
    states = [network.read(block, number) for number, block in enumerate(blocks)]
    tokens = sum(len(aim.target_N) for aim in aims)
    total = sum(forward_kl(aim, state)[0].item() * len(aim.target_N) for aim, state in zip(aims, states, strict=True))
    return total / max(1, tokens)
