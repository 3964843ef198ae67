"""Counts of what experts and attention heads do in some steps, for monitoring.

A count takes some tensor operations per layer, so only one in `every` steps is counted.
Dimensions: L layers, R rows, H heads, D head size, k experts of each token.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tuili.engine.runtime.runner import ACTIVE_SHARE, Observation
from tuili.native import Sizes

LEAST_NORM = 1e-9
"""A head with a smaller output is not active, whatever the other heads do."""


class Tally:
    """The counted activity of one model's layers since the last `take`."""

    def __init__(self, sizes: Sizes, device: torch.device, every: int) -> None:
        self._sizes, self._device, self._every, self._steps = sizes, device, every, 0
        self._clear()

    def _clear(self) -> None:
        sizes, device, layers = self._sizes, self._device, self._sizes.layers
        self._expert_LE = torch.zeros(sizes.expert_layers, sizes.num_experts, dtype=torch.long, device=device)
        self._share_L = torch.zeros(layers, dtype=torch.float64, device=device)
        self._tokens = [0] * layers

    def next_step(self) -> None:
        """Record that a step begins."""
        self._steps += 1

    @property
    def counts(self) -> bool:
        """Whether this step is counted."""
        return self._steps % self._every == 0

    def heads(self, layer: int, output_RHD: Tensor) -> None:
        """Count the active heads of a layer."""
        norm_RH = torch.linalg.vector_norm(output_RHD, dim=-1, dtype=torch.float32)
        active_RH = norm_RH >= (ACTIVE_SHARE * norm_RH.amax(-1, keepdim=True)).clamp(min=LEAST_NORM)
        self._share_L[layer] += active_RH.float().mean(-1).sum()
        self._tokens[layer] += len(output_RHD)

    def experts(self, layer: int, expert_Rk: Tensor) -> None:
        """Count the chosen experts of a reasoning layer."""
        self._expert_LE[layer] += torch.bincount(expert_Rk.flatten(), minlength=self._expert_LE.shape[1])

    def take(self) -> Observation | None:
        """Return the counts and reset them; None if nothing was counted."""
        if not self._tokens[0]:
            return None
        experts = tuple(map(tuple, self._expert_LE.tolist()))
        pairs = zip(self._share_L.tolist(), self._tokens, strict=True)
        observation = Observation(experts, tuple(share / max(1, tokens) for share, tokens in pairs))
        self._clear()
        return observation
