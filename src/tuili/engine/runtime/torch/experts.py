"""The experts of one reasoning layer for few tokens: the routing and weights of the model in fewer operations.

Up to `MAX_SORTED_TOKENS` tokens are sorted by expert in plain Python, which is faster than tensor operations for so
few. More tokens go through the model's own `MixtureOfExperts`, and so do all tokens while routing is recorded or
restricted.

Dimensions: N tokens, k experts of each token, Y = N * k pairs of token and expert, E experts, F expert size, M hidden
size.
"""

from __future__ import annotations

from itertools import groupby

import torch
from torch import Tensor

from tuili.model import MixtureOfExperts, gated_silu, route_tokens

MAX_SORTED_TOKENS = 64
"""For more tokens than this, the tensor operations of `MixtureOfExperts` are faster."""


class LeanExperts:
    """A router and its experts, with their weights at the time of construction."""

    def __init__(self, moe: MixtureOfExperts) -> None:
        self._moe, router = moe, moe.router
        self._experts_per_token = router.top_k
        self._router_EM, self._bias_E = router.weight.detach().float(), router.balance_bias
        self._gate_up_EFM, self._down_EMF = moe.experts.gate_up_proj.detach(), moe.experts.down_proj.detach()
        self._gate_up = [weight_FM.t() for weight_FM in self._gate_up_EFM]
        self._down = [weight_MF.t() for weight_MF in self._down_EMF]

    @property
    def as_trained(self) -> bool:
        """Whether routing is neither restricted to some experts nor recorded."""
        return self._moe.router.allowed_E is None and self._moe.router.recording is None

    def __call__(self, hidden_NM: Tensor) -> Tensor:
        """The weighted sum [N, M] of the outputs of each token's experts."""
        if torch.compiler.is_compiling():
            return self._gathered(hidden_NM)
        if len(hidden_NM) > MAX_SORTED_TOKENS or not self.as_trained:
            update_NM: Tensor = self._moe(hidden_NM)[0]
            return update_NM
        expert_Nk, weight_Nk = self._route(hidden_NM)
        if len(hidden_NM) == 1:
            return self._one(hidden_NM[0], expert_Nk[0].tolist(), weight_Nk)
        return self._sorted(hidden_NM, expert_Nk.flatten().tolist(), weight_Nk)

    def _route(self, hidden_NM: Tensor) -> tuple[Tensor, Tensor]:
        """The experts of each token and their weights [N, k]."""
        return route_tokens(hidden_NM, self._router_EM, self._bias_E, self._experts_per_token)

    def _one(self, hidden_M: Tensor, experts: list[int], weight_1k: Tensor) -> Tensor:
        """The experts of a single token: products of a matrix with a vector."""
        gate_up_kF = torch.stack([self._gate_up_EFM[expert].mv(hidden_M) for expert in experts])
        active_kF = gated_silu(gate_up_kF) * weight_1k.t()
        update_M = self._down_EMF[experts[0]].mv(active_kF[0])
        for expert, active_F in zip(experts[1:], active_kF[1:], strict=True):
            update_M = torch.addmv(update_M, self._down_EMF[expert], active_F)
        return update_M[None]

    def _sorted(self, hidden_NM: Tensor, experts: list[int], weight_Nk: Tensor) -> Tensor:
        """The experts of some tokens, each expert over its own run of the sorted pairs."""
        order = sorted(range(len(experts)), key=experts.__getitem__)
        pair_Y = torch.tensor(order, device=hidden_NM.device)
        token_Y = pair_Y // self._experts_per_token
        runs, start = [], 0
        for expert, run in groupby(order, key=experts.__getitem__):
            end = start + len(list(run))
            runs.append((expert, slice(start, end)))
            start = end
        input_YM = hidden_NM[token_Y]
        gate_up_YF = input_YM.new_empty(start, self._gate_up_EFM.shape[1])
        for expert, rows in runs:
            torch.mm(input_YM[rows], self._gate_up[expert], out=gate_up_YF[rows])
        active_YF = gated_silu(gate_up_YF) * weight_Nk.flatten()[pair_Y][:, None]
        output_YM = torch.empty_like(input_YM)
        for expert, rows in runs:
            torch.mm(active_YF[rows], self._down[expert], out=output_YM[rows])
        return torch.zeros_like(hidden_NM).index_add_(0, token_Y, output_YM)

    def _gathered(self, hidden_NM: Tensor) -> Tensor:
        """The experts of any number of tokens, in a form that a compiler fuses into one loop without copies."""
        expert_Nk, weight_Nk = self._route(hidden_NM)
        gate_up_NkF = (self._gate_up_EFM[expert_Nk] * hidden_NM[:, None, None]).sum(-1)
        active_NkF = gated_silu(gate_up_NkF) * weight_Nk[..., None]
        return (self._down_EMF[expert_Nk] * active_NkF[:, :, None]).sum(-1).sum(1)
