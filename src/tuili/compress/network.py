"""A model that teaches, or that learns from one that does: what it would say at each learnt token of a block.

How models of either kind come to it is in `own` and `imported`, what is learnt from it in `healing`.

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

    penalty: what is added to the loss beside, such as that of routers. head: what computes logits where they are not
    plain products with `head_VM`.
    """

    hidden_NM: Tensor
    head_VM: Tensor
    target_N: Tensor
    penalty: Tensor | float = 0.0
    head: Callable[[Tensor], Tensor] | None = None

    def logits(self, hidden_NM: Tensor) -> Tensor:
        """Those of some of the states, [N, V], in fp32."""
        if self.head is not None:
            return self.head(hidden_NM).float()
        return functional.linear(hidden_NM, self.head_VM.to(hidden_NM.dtype)).float()


class Network(Protocol):
    """A model with what of it learns, if anything."""

    @property
    def model(self) -> nn.Module:
        """The model itself, as transformers knows it."""
        ...

    @property
    def parameters(self) -> Mapping[str, nn.Parameter]:
        """What learns, in float32, by name; nothing of a model that teaches."""
        ...

    def read(self, block: Block, step: int) -> TokenStates:
        """The states of a block: for one kind, seed and step those of the same tokens in the same order."""
        ...

    def take_gradients(self) -> None:
        """Let `parameters` have the gradients of the last backward pass."""
        ...

    def follow(self, scale: float) -> None:
        """Take over what `parameters` have become. scale: the learning rate over its peak."""
        ...

    def tensors(self) -> Mapping[str, Tensor]:
        """All weights and buffers as precisely as they are known, by name."""
        ...

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Set them."""
        ...
