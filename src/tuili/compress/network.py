"""A model that teaches, or that learns from a teacher: what it predicts at each learnt token of a block.

`own` and `imported` implement it for the two kinds of models; `healing` defines what is learnt from it.

Dimensions: N learnt tokens, M hidden size, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn
from torch.nn import functional

from tuili.data import Block


@dataclass(frozen=True)
class TokenStates:
    """The states of the learnt tokens of a block, which the head reads, and the tokens that follow them.

    penalty: a term added to the loss, such as the routers' losses. head: computes the logits if they are not plain
    products with `head_VM`.
    """

    hidden_NM: Tensor
    head_VM: Tensor
    target_N: Tensor
    penalty: Tensor | float = 0.0
    head: Callable[[Tensor], Tensor] | None = None

    def logits(self, hidden_NM: Tensor) -> Tensor:
        """The logits of some of the states, [N, V], in fp32."""
        if self.head is not None:
            return self.head(hidden_NM).float()
        return functional.linear(hidden_NM, self.head_VM.to(hidden_NM.dtype)).float()


class Network(Protocol):
    """A model and its trained parameters, if any."""

    @property
    def model(self) -> nn.Module:
        """The underlying transformers model."""
        ...

    @property
    def parameters(self) -> Mapping[str, nn.Parameter]:
        """The trained parameters, in float32, by name; empty for a teacher."""
        ...

    def read(self, block: Block, step: int) -> TokenStates:
        """The states of a block. For the same kind, seed and step they are of the same tokens in the same order."""
        ...

    def take_gradients(self) -> None:
        """Move the gradients of the last backward pass to `parameters`."""
        ...

    def follow(self, scale: float) -> None:
        """Update the model from `parameters`. scale: the learning rate divided by its peak."""
        ...

    def tensors(self) -> Mapping[str, Tensor]:
        """All weights and buffers by name, as precisely as they are known."""
        ...

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Set all weights and buffers."""
        ...
