"""Estimates the time of decompositions and sensitivities from a few of them.

Dimensions: E matrices of a stack, O outputs, I inputs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from tuili.compress.factorising.options import Decomposed
from tuili.compress.factorising.recipe import FactoriseConfig
from tuili.compress.factorising.sensitivity import divergence
from tuili.compress.network import Network
from tuili.compress.trial import Part, of_each_size, times_of
from tuili.data import Block

TRIED_SIZE = 1024
"""The most outputs and inputs of a matrix that is tried; the time of a larger one grows with their third power."""


def decomposing(
    weights: Mapping[str, Tensor], moments: Mapping[str, Tensor], sizes: Mapping[str, Sequence[int]],
    config: FactoriseConfig,
) -> Iterator[Part]:  # fmt: skip
    """The time trial of all decompositions, by one of each size."""

    def attempt(name: str) -> float:
        size = tuple(sizes[name])
        return _decompose(weights[name].detach().view(-1, *size[-2:]), moments[name], size, config)

    yield from of_each_size("decompositions", sizes, attempt)


def _decompose(weight_EOI: Tensor, moment_EII: Tensor, sizes: tuple[int, ...], config: FactoriseConfig) -> float:
    """Decompose a matrix or stack, or a corner of it. Returns the factor from the tried work to the whole."""
    share = min(1.0, TRIED_SIZE / max(sizes[-2:]))
    outputs, inputs = (max(1, round(share * size)) for size in sizes[-2:])
    corner = (*sizes[:-2], outputs, inputs)
    Decomposed(weight_EOI[:, :outputs, :inputs], moment_EII[:, :inputs, :inputs], corner, config.multiple, config.bases)
    return share**-3


def sensing(network: Network, matrices: int, probes: int, block: Block) -> Part:
    """The time trial of the sensitivities of this many matrices, by one reading of a block."""
    with torch.no_grad():
        aim = network.read(block, 0)

    def attempt() -> float:
        divergence(network, [aim], [block])
        return (1 + matrices) * times_of(probes, block)

    return Part("sensitivities", attempt)
