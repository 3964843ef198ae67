"""Chooses which neurons, heads and experts stay: those with the highest scores, the same number in each layer.

Dimensions: E experts, F neurons, K heads of keys and values; a prime marks the number that stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from tuili.compress.pruning.sizes import Sizes


@dataclass(frozen=True)
class Scores:
    """The scores of the parts of a model; only scores in the same list member are compared.

    neurons: [F] of each dense feed-forward layer. heads: [K] of each set of keys and values. experts: [E] of each layer
    of experts. expert_neurons: [E, F] of each of these.
    """

    neurons: Sequence[Tensor]
    heads: Sequence[Tensor]
    experts: Sequence[Tensor] = ()
    expert_neurons: Sequence[Tensor] = ()


@dataclass(frozen=True)
class Kept:
    """The indices of the parts that stay, rising, in the order of `Scores`. expert_neurons: [E', F'] by kept expert."""

    neurons: Sequence[Tensor]
    heads: Sequence[Tensor]
    experts: Sequence[Tensor] = ()
    expert_neurons: Sequence[Tensor] = ()


def choose(scores: Scores, sizes: Sizes) -> Kept:
    """The parts with the highest scores; the first among equals."""
    experts = [best(score_E, sizes.experts) for score_E in scores.experts]
    of_kept = zip(scores.expert_neurons, experts, strict=True)
    return Kept(
        neurons=[best(score_F, sizes.feed_forward) for score_F in scores.neurons],
        heads=[best(score_K, sizes.heads) for score_K in scores.heads],
        experts=experts,
        expert_neurons=[best(score_EF[kept_E], sizes.expert) for score_EF, kept_E in of_kept],
    )


def best(score_XF: Tensor, count: int) -> Tensor:
    """The indices of the highest scores, rising; the first among equals."""
    order_XF = score_XF.argsort(dim=-1, descending=True, stable=True)
    return order_XF[..., :count].sort(dim=-1).values
