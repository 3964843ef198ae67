"""Second moments of the inputs of linear layers, and of what experts get, on samples.

What an expert puts out counts by the router's weight; so do its inputs.

Dimensions: B rows, T tokens, N tokens, D hidden size, I inputs of a layer, E experts, F expert size, k choices of a
token, X choices of an expert.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tuili.model import MixtureOfExperts, Route, gated_silu


class SecondMoment:
    """The mean of x xᵀ over the inputs x of a linear layer."""

    def __init__(self, layer: nn.Linear) -> None:
        self._layer, self._count = layer, 0
        self._sum_II = torch.zeros(layer.in_features, layer.in_features, dtype=torch.float64)
        self.counts: Callable[[int], Tensor] = lambda columns: torch.ones(1, columns, dtype=torch.bool)
        """See `LayerWatcher`."""

    @contextmanager
    def watching(self) -> Iterator[None]:
        """See `LayerWatcher`."""
        hook = self._layer.register_forward_pre_hook(self._take)
        try:
            yield
        finally:
            hook.remove()

    @property
    def mean_EII(self) -> Tensor:
        """Of a stack of one, float64."""
        return self._sum_II[None] / max(1, self._count)

    def _take(self, layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        (input_BTI,) = inputs
        counted_NI = input_BTI[self.counts(input_BTI.shape[1]).expand(input_BTI.shape[:2])].detach().double()
        self._sum_II += (counted_NI.T @ counted_NI).cpu()
        self._count += len(counted_NI)


class ExpertSecondMoments:
    """The same of each expert of a layer, over all tokens: where a token is routed elsewhere, the input is 0."""

    def __init__(self, layer: MixtureOfExperts) -> None:
        self._layer, self._count = layer, 0
        experts, hidden, neurons = layer.experts.down_proj.shape
        self._gate_up_EDD = torch.zeros(experts, hidden, hidden, dtype=torch.float64)
        self._down_EFF = torch.zeros(experts, neurons, neurons, dtype=torch.float64)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """See `ExpertWatcher`."""
        hook = self._layer.router.register_forward_hook(self._take)
        try:
            yield
        finally:
            hook.remove()

    @property
    def gate_up_EDD(self) -> Tensor:
        """Of the inputs of gates and upward projections, float64."""
        return self._gate_up_EDD / max(1, self._count)

    @property
    def down_EFF(self) -> Tensor:
        """Of the inputs of the downward projections, float64."""
        return self._down_EFF / max(1, self._count)

    def _take(self, router: nn.Module, inputs: tuple[Any, ...], route: Route) -> None:
        hidden_ND, real_N = inputs
        experts = self._layer.experts
        self._count += len(hidden_ND) if real_N is None else int(real_N.sum())
        for expert in range(len(self._down_EFF)):
            chosen_Nk = route.expert_Nk == expert
            if real_N is not None:
                chosen_Nk = chosen_Nk & real_N[:, None]
            token_X, choice_X = chosen_Nk.nonzero(as_tuple=True)
            weight_X1 = route.weight_Nk[token_X, choice_X][:, None]
            input_XD = hidden_ND[token_X]
            active_XF = gated_silu(functional.linear(input_XD, experts.gate_up_proj[expert])) * weight_X1
            for sum_II, seen_XI in ((self._gate_up_EDD, input_XD * weight_X1), (self._down_EFF, active_XF)):
                seen_XI = seen_XI.detach().double()
                sum_II[expert] += (seen_XI.T @ seen_XI).cpu()
