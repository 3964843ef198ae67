"""What a matrix, or the stack of a layer's experts, may become: factors of several ranks, or the unchanged matrix.

Dimensions: E matrices of a stack, O outputs, I inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from tuili.compress.factorising.shared import SharedFactors, SharedStack
from tuili.compress.factorising.whitened import SeparateFactors, WhitenedStack, error_of
from tuili.store import Rank, factor_parameters

Bases = Literal["auto", "separate", "shared"]


@dataclass(frozen=True)
class Option:
    """parameters: how many it takes. error: the mean squared loss. rank: None for the unchanged matrix."""

    parameters: int
    error: float
    rank: Rank | None


def separate_ranks(sizes: Sequence[int], multiple: int) -> list[int]:
    """The ranks at which factors of each matrix take less than the matrix, rising."""
    outputs, inputs = sizes[-2:]
    return [
        rank for rank in range(multiple, min(outputs, inputs), multiple) if rank * (outputs + inputs) < outputs * inputs
    ]


def without_data(sizes: Sequence[int], multiple: int) -> list[Option]:
    """Options of separate factors of a matrix; larger ones count as better."""
    ranks: list[int | None] = [*separate_ranks(sizes, multiple), None]
    counts = [factor_parameters(sizes, rank) for rank in ranks]
    return [Option(count, float(counts[-1] - count), rank) for count, rank in zip(counts, ranks, strict=True)]


def shared_rank(stack: SharedStack, budget: int, multiple: int) -> tuple[int, int] | None:
    """The sizes of shared bases that should lose the least within this many parameters; None if none fits.

    The loss is at most the sum of the losses of each basis alone, and these sums are compared.
    """
    sizes = count, outputs, inputs = tuple(stack.weight_EOI.shape)
    best, rank = float("inf"), None
    for kept in range(multiple, outputs + 1, multiple):
        left = (budget - outputs * kept) // (count * kept + inputs)
        other = min(left // multiple * multiple, inputs // multiple * multiple)
        if other < multiple:
            break
        lost = float(stack.lost_outputs[kept] + stack.lost_inputs[other])
        if lost < best and factor_parameters(sizes, (kept, other)) < factor_parameters(sizes, None):
            best, rank = lost, (kept, other)
    return rank


class Decomposed:
    """A matrix, or a stack of them, with the second moments of its inputs, and its options.

    sizes: [O, I], or [E, O, I] of experts. Shared bases are tried only for experts, and only if they may be chosen; at
    about the sizes of the separate factors, so that both can be compared.
    """

    def __init__(
        self, weight_EOI: Tensor, moment_EII: Tensor, sizes: Sequence[int], multiple: int, bases: Bases
    ) -> None:
        """Shared bases read the weights and moments again when they are chosen, so these must not change."""
        self.sizes, self._weight_EOI, self._moment_EII = tuple(sizes), weight_EOI, moment_EII
        ranks = separate_ranks(sizes, multiple)
        self._whitened = WhitenedStack(weight_EOI, moment_EII, max(ranks, default=0))
        errors = self._whitened.errors
        separate = [Option(factor_parameters(sizes, rank), errors[rank], rank) for rank in ranks]
        tried = len(self.sizes) == 3 and bases != "separate"
        shared = self._shared_options([option.parameters for option in separate], multiple) if tried else []
        chosen = {"auto": [*separate, *shared], "separate": separate, "shared": shared or separate}[bases]
        whole = Option(factor_parameters(sizes, None), 0.0, None)
        self.options = sorted([*chosen, whole], key=lambda option: (option.parameters, option.error))

    def factors(self, rank: Rank) -> SeparateFactors | SharedFactors:
        """The factors of one of the options."""
        if isinstance(rank, int):
            return self._whitened.factors(rank)
        return SharedStack(self._weight_EOI, self._moment_EII).factors(*rank)

    def shared_over_separate(self, budget: int) -> float | None:
        """The loss of shared bases divided by that of separate factors, within this many parameters; None if either has
        no option."""
        fitting = [option for option in self.options if option.parameters <= budget]
        shared = [option.error for option in fitting if isinstance(option.rank, tuple)]
        separate = [option.error for option in fitting if isinstance(option.rank, int)]
        return min(shared) / max(min(separate), 1e-30) if shared and separate else None

    def _shared_options(self, budgets: Sequence[int], multiple: int) -> list[Option]:
        shared, options = SharedStack(self._weight_EOI, self._moment_EII), list[Option]()
        for rank in dict.fromkeys(shared_rank(shared, budget, multiple) for budget in budgets):
            if rank is not None:
                product_EOI = shared.factors(*rank).product_EOI
                error = error_of(self._weight_EOI, product_EOI, self._moment_EII)
                options.append(Option(factor_parameters(self.sizes, rank), error, rank))
        return options
