"""Float32 weights that learn in place of the weights of a model that computes in fewer bits."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn


class MasterWeights:
    """Float32 copies of the trained weights of a model; an optimizer changes the copies, and the model follows."""

    def __init__(self, working: Mapping[str, nn.Parameter]) -> None:
        self._working = dict(working)
        self.parameters = {name: nn.Parameter(weight.detach().float()) for name, weight in self._working.items()}
        """The copies, by the names of the weights."""
        for weight in self._working.values():
            weight.requires_grad_(True)

    def take_gradients(self) -> None:
        """Move the gradients of the model's weights to the copies."""
        for name, weight in self._working.items():
            assert weight.grad is not None
            self.parameters[name].grad, weight.grad = weight.grad.float(), None

    @torch.no_grad()
    def follow(self) -> None:
        """Copy the changed copies back to the model's weights."""
        for name, weight in self._working.items():
            weight.copy_(self.parameters[name])
