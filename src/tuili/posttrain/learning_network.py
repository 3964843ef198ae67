"""What learns in the steps of a `LearningSession`, and how its gradients come about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from torch import Tensor, nn

from tuili.data import Block


class LearningNetwork(Protocol):
    """What learns in a stage."""

    @property
    def parameters(self) -> Mapping[str, nn.Parameter]:
        """What the optimizer changes, in float32, by name."""
        ...

    def learn(self, block: Block, step: int) -> dict[str, float]:
        """Compute the gradients of a block. Returns figures for the log, `loss` among them."""
        ...

    def follow(self, scale: float) -> None:
        """Take over what `parameters` have become. scale: the learning rate of the step over its peak."""
        ...

    def tensors(self) -> Mapping[str, Tensor]:
        """All that a checkpoint must hold beside the state of the optimizer, by name."""
        ...

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from what `tensors` gave for such a network."""
        ...
