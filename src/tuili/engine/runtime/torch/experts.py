"""The experts of one reasoning layer: the routing and weights of the model in fewer operations.

Tokens are sorted by expert, and each expert runs over its own tokens. While routing is restricted to some experts or
recorded, the model's own router chooses.

Dimensions: N tokens, k experts of each token, Y = N * k pairs of token and expert, E experts, F expert size, M hidden
size, I inputs of a matrix.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from tuili.engine.runtime.torch.int8_linear import Chain, Weight, linear
from tuili.model import MixtureOfExperts, factors_of, gated_silu, route_tokens


class LeanExperts:
    """A router and its experts, with the weights they had at construction."""

    def __init__(self, moe: MixtureOfExperts, convert: Callable[[Tensor], Weight]) -> None:
        self._router = moe.router
        self._router_EM, self._bias_E = moe.router.weight.detach().float(), moe.router.balance_bias
        gate_up = factors_of(moe.experts.gate_up_proj)
        self._shared: Weight | None = None
        if gate_up[0].dim() == 2:  # a basis shared by all experts reads each token once
            self._shared, gate_up = convert(gate_up[0].detach()), gate_up[1:]
        self._gate_up = _matrices(gate_up, convert)
        self._down = _matrices(factors_of(moe.experts.down_proj), convert)

    def route(self, hidden_NM: Tensor) -> tuple[Tensor, Tensor]:
        """The experts of each token and their weights [N, k]."""
        if self._router.allowed_E is not None or self._router.recording is not None:
            route = self._router(hidden_NM)
            return route.expert_Nk, route.weight_Nk
        return route_tokens(hidden_NM, self._router_EM, self._bias_E, self._router.top_k)

    def __call__(self, hidden_NM: Tensor, expert_Nk: Tensor, weight_Nk: Tensor) -> Tensor:
        """The weighted sum [N, M] of the outputs of each token's experts."""
        order_Y = expert_Nk.flatten().argsort(stable=True)
        token_Y = order_Y // expert_Nk.shape[1]
        runs = list(self._runs(expert_Nk))
        read_NI = hidden_NM if self._shared is None else linear(hidden_NM, self._shared)
        input_YI = read_NI[token_Y]
        gate_up_YF = torch.cat([linear(input_YI[rows], self._gate_up[expert]) for expert, rows in runs])
        active_YF = gated_silu(gate_up_YF) * weight_Nk.flatten()[order_Y][:, None]
        output_YM = torch.cat([linear(active_YF[rows], self._down[expert]) for expert, rows in runs])
        return torch.zeros_like(hidden_NM).index_add_(0, token_Y, output_YM)

    def _runs(self, expert_Nk: Tensor) -> Iterator[tuple[int, slice]]:
        """The experts chosen by some token, with their rows among the sorted pairs."""
        start = 0
        for expert, count in enumerate(expert_Nk.flatten().bincount(minlength=len(self._down)).tolist()):
            if count:
                yield expert, slice(start, start + count)
                start += count


def _matrices(factors: list[Tensor], convert: Callable[[Tensor], Weight]) -> list[Weight]:
    """The matrix of each expert; factored matrices stay factored. Two-dimensional factors are shared by all experts."""
    experts = max(len(factor) for factor in factors if factor.dim() == 3)
    stacks = [
        [convert(matrix) for matrix in factor.detach()] if factor.dim() == 3 else [convert(factor.detach())] * experts
        for factor in factors
    ]
    return [matrices[0] if len(matrices) == 1 else Chain(matrices) for matrices in zip(*stacks, strict=True)]
