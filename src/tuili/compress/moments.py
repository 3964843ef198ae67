"""Moments taken while samples pass through a model: of the inputs of linear layers, and of the inputs and outputs of
experts.

The second moment of an input, times the squared norm of its column, is the mean square of that neuron's contribution.
Minitron (Muralidharan et al. 2024, arXiv 2407.14679) uses the activation alone; including the weights is an idea of
Wanda's (Sun et al. 2023, arXiv 2306.11695). The score of an expert is REAP's (Lasby et al. 2025, arXiv 2510.13999): the
mean, over the tokens that were routed to it, of the router's weight times the norm of the expert's contribution.
Everything that an expert gets is weighted by the router's weight.

Dimensions: B rows, T tokens, N tokens, D hidden size, I inputs of a layer, E experts, F expert size, k choices of a
token, X choices of an expert.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tuili.model import MixtureOfExperts, Route, gated_silu
from tuili.store import DenseShape, ModelShape, matrix_shapes

Moment = Callable[[Tensor], Tensor]
"""Computes a moment of inputs [N, I], float64, summed over N."""


def squares(input_NI: Tensor) -> Tensor:
    """The sum of the squares of each input, [I]."""
    return input_NI.square().sum(0)


def products(input_NI: Tensor) -> Tensor:
    """The sum of the products of each pair of inputs, [I, I]."""
    return input_NI.T @ input_NI


class InputMoments:
    """A moment of the inputs of a linear layer, averaged over tokens."""

    def __init__(self, layer: nn.Linear, moment: Moment) -> None:
        self.layer, self._moment, self._count = layer, moment, 0
        self._sum = _none(layer.in_features, moment)
        self.counts: Callable[[int], Tensor] = lambda columns: torch.ones(1, columns, dtype=torch.bool)
        """Returns which tokens of the current pass count, [B, T], for T columns."""

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Record what passes through the layer during a `with` block."""
        hook = self.layer.register_forward_pre_hook(self._take)
        try:
            yield
        finally:
            hook.remove()

    @property
    def mean(self) -> Tensor:
        """The moment averaged over its tokens, float64."""
        return self._sum / max(1, self._count)

    @property
    def added(self) -> Tensor:
        """For the moment `squares`: the mean square of each input's contribution to the output, [I], float64."""
        return self.mean * self.layer.weight.detach().double().square().sum(0).cpu()

    def _take(self, layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        (input_BTI,) = inputs
        counted_NI = input_BTI[self.counts(input_BTI.shape[1]).expand(input_BTI.shape[:2])]
        self._sum += self._moment(counted_NI.detach().double()).cpu()
        self._count += len(counted_NI)


class ExpertMoments:
    """Moments of each expert of a layer: of its inputs and of its neurons' outputs, both weighted by the router.

    of_inputs: the moment of the inputs; by default the same as for neurons. count: tokens that passed. chosen_E: how
    often each expert was chosen.
    """

    def __init__(self, layer: MixtureOfExperts, moment: Moment, of_inputs: Moment | None = None) -> None:
        self.layer, self._moment, self.count = layer, moment, 0
        self._of_inputs = of_inputs or moment
        experts, hidden, neurons = layer.experts.down_proj.shape
        self.chosen_E = torch.zeros(experts, dtype=torch.float64)
        self._norm_E = torch.zeros(experts, dtype=torch.float64)
        self._inputs = torch.stack([_none(hidden, self._of_inputs)] * experts)
        self._neurons = torch.stack([_none(neurons, moment)] * experts)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Record what is routed during a `with` block."""
        hook = self.layer.router.register_forward_hook(self._take)
        try:
            yield
        finally:
            hook.remove()

    @property
    def inputs(self) -> Tensor:
        """The moment of an expert's inputs over all tokens, float64; tokens routed elsewhere count as 0."""
        return self._inputs / max(1, self.count)

    @property
    def neurons(self) -> Tensor:
        """The moment of the outputs of an expert's neurons over all tokens, as `inputs`."""
        return self._neurons / max(1, self.count)

    @property
    def added(self) -> Tensor:
        """As for a linear layer, each neuron's contribution to the output, [E, F]; 0 for an expert never chosen."""
        return self.neurons * self.layer.experts.down_proj.detach().double().square().sum(1).cpu()

    @property
    def norms(self) -> Tensor:
        """The mean norm of each expert's contribution to a token that it gets, [E]."""
        return self._norm_E / self.chosen_E.clamp(min=1)

    def _take(self, router: nn.Module, inputs: tuple[Any, ...], route: Route) -> None:
        hidden_ND, real_N = inputs
        experts = self.layer.experts
        self.count += len(hidden_ND) if real_N is None else int(real_N.sum())
        for expert in range(len(self.chosen_E)):
            chosen_Nk = route.expert_Nk == expert
            if real_N is not None:
                chosen_Nk = chosen_Nk & real_N[:, None]
            token_X, choice_X = chosen_Nk.nonzero(as_tuple=True)
            weight_X1 = route.weight_Nk[token_X, choice_X][:, None]
            input_XD = hidden_ND[token_X]
            neuron_XF = gated_silu(functional.linear(input_XD, experts.gate_up_proj[expert])) * weight_X1
            added_XD = functional.linear(neuron_XF, experts.down_proj[expert])
            self.chosen_E[expert] += len(token_X)
            self._norm_E[expert] += added_XD.detach().double().norm(dim=1).sum().cpu()
            self._inputs[expert] += self._of_inputs((input_XD * weight_X1).detach().double()).cpu()
            self._neurons[expert] += self._moment(neuron_XF.detach().double()).cpu()


def damped(moment_EII: Tensor, share: float) -> Tensor:
    """Second moments, each with a share of the mean variance of the stack's inputs added, in float64.

    Directions seen on few samples, or on none for an expert, then do not count as impossible.
    """
    moment_EII = moment_EII.double()
    identity_II = torch.eye(moment_EII.shape[-1], dtype=torch.float64, device=moment_EII.device)
    variance = moment_EII.diagonal(dim1=-2, dim2=-1).mean()
    return moment_EII + share * variance.clamp(min=1e-30) * identity_II


def moment_bytes(shape: ModelShape | DenseShape, of: Callable[[str, int], bool] = lambda name, inputs: True) -> int:
    """Bytes of the second moments, float64 [I, I], of the inputs of every matrix and every expert.

    of: whether the moments of a matrix are taken, by its name and its number of inputs.
    """
    shapes = matrix_shapes(shape).items()
    return sum(8 * prod(sizes[:-2]) * sizes[-1] ** 2 for name, sizes in shapes if of(name, sizes[-1]))


def _none(inputs: int, moment: Moment) -> Tensor:
    return moment(torch.zeros(0, inputs, dtype=torch.float64))
