"""What a model's parts add to its stream on samples: moments of the inputs of its linear layers, and of its experts.

The second moment of an input, times the squared norm of its column, is the mean square of what that neuron adds.
Minitron (Muralidharan et al. 2024, arXiv 2407.14679) takes the activation alone; the weights beside it are an idea of
Wanda's (Sun et al. 2023, arXiv 2306.11695). The score of an expert is REAP's (Lasby et al. 2025, arXiv 2510.13999): the
mean, over the tokens that were routed to it, of the router's weight times the norm of what it adds.

Dimensions: N tokens, D hidden size, F inputs of a layer, E experts, k choices of each token.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tuili.model import MixtureOfExperts, Route, gated_silu


class InputMoments:
    """The mean square of each input of a linear layer."""

    def __init__(self, layer: nn.Linear) -> None:
        self._layer, self._count = layer, 0
        self._sum_F = torch.zeros(layer.in_features, dtype=torch.float64)
        self.counts: Callable[[int], Tensor] = lambda columns: torch.ones(1, columns, dtype=torch.bool)
        """Says which tokens of the present pass count, [B, T], for a number T of columns."""

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Take up what passes through the layer, for the time of a `with` block."""
        hook = self._layer.register_forward_pre_hook(self._take)
        try:
            yield
        finally:
            hook.remove()

    @property
    def added(self) -> Tensor:
        """The mean square of what each input adds to the output, [F], in float64."""
        columns_F = self._layer.weight.detach().double().square().sum(0)
        return self._sum_F / max(1, self._count) * columns_F.cpu()

    def _take(self, layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        (input_BTF,) = inputs
        counted_NF = input_BTF[self.counts(input_BTF.shape[1]).expand(input_BTF.shape[:2])]
        self._sum_F += counted_NF.detach().double().square().sum(0).cpu()
        self._count += len(counted_NF)


class ExpertMoments:
    """What each expert of a layer adds, over the tokens that were routed to it."""

    def __init__(self, layer: MixtureOfExperts) -> None:
        self._layer = layer
        experts, _, neurons = layer.experts.down_proj.shape
        self.chosen_E = torch.zeros(experts, dtype=torch.float64)
        """How often each was chosen."""
        self._norm_E = torch.zeros(experts, dtype=torch.float64)
        self._square_EF = torch.zeros(experts, neurons, dtype=torch.float64)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Take up what is routed, for the time of a `with` block."""
        hook = self._layer.router.register_forward_hook(self._take)
        try:
            yield
        finally:
            hook.remove()

    @property
    def norms(self) -> Tensor:
        """The mean norm of what each expert adds to a token that it gets, weighted by the router, [E]."""
        return self._norm_E / self.chosen_E.clamp(min=1)

    @property
    def added(self) -> Tensor:
        """The mean square of what each neuron adds, [E, F]; 0 where an expert was never chosen."""
        columns_EF = self._layer.experts.down_proj.detach().double().square().sum(1)
        return self._square_EF / self.chosen_E.clamp(min=1)[:, None] * columns_EF

    def _take(self, router: nn.Module, inputs: tuple[Any, ...], route: Route) -> None:
        hidden_ND, real_N = inputs
        experts = self._layer.experts
        for expert in range(len(self.chosen_E)):
            chosen_Nk = route.expert_Nk == expert
            if real_N is not None:
                chosen_Nk = chosen_Nk & real_N[:, None]
            token_X, choice_X = chosen_Nk.nonzero(as_tuple=True)
            active_XF = gated_silu(functional.linear(hidden_ND[token_X], experts.gate_up_proj[expert]))
            weighted_XF = active_XF * route.weight_Nk[token_X, choice_X][:, None]
            added_XD = functional.linear(weighted_XF, experts.down_proj[expert])
            self.chosen_E[expert] += len(token_X)
            self._norm_E[expert] += added_XD.double().norm(dim=1).sum().cpu()
            self._square_EF[expert] += weighted_XF.double().square().sum(0).cpu()
