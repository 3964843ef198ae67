"""Weights in float32 that learn for those of a model which computes in fewer bits."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn


class MasterWeights:
    """Copies in float32 of the weights of a model that learn; an optimizer changes the copies, the model follows."""

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
        """Let the model take over what the copies have become."""
        for name, weight in self._working.items():
            weight.copy_(self.parameters[name])
