"""What learns in the steps of a `LearningSession`, and how its gradients are computed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from torch import Tensor, nn

from tuili.data import Block


class LearningNetwork(Protocol):
    """What learns in a stage."""

    @property
    def parameters(self) -> Mapping[str, nn.Parameter]:
        """The parameters that the optimizer changes, in float32, by name."""
        ...

    def learn(self, block: Block, step: int) -> dict[str, float]:
        """Compute the gradients of a block. Returns figures for the log, including `loss`."""
        ...

    def follow(self, scale: float) -> None:
        """Update the network from `parameters`. scale: the learning rate of the step divided by its peak."""
        ...

    def tensors(self) -> Mapping[str, Tensor]:
        """Everything that a checkpoint must hold besides the optimizer state, by name."""
        ...

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore what `tensors` returned for such a network."""
        ...
