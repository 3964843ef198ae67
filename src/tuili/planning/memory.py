"""What a recovery keeps in memory: the parent, which teaches, and all that belongs to the model that learns.

Activations and the operating system are not counted: they depend on rows and lengths, not on the plan.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Numbers = Literal["fp32", "bf16"]
Optimizer = Literal["adamw", "muon"]
_MOMENTS = {"adamw": 2, "muon": 1}
"""Numbers in fp32 that an optimizer keeps for each parameter; Muon's AdamW for embeddings is counted as Muon."""


@dataclass(frozen=True)
class Memory:
    """Bytes. numbers: fp32 everywhere, as `tuili compress` trains models of Tuili's own kind; or bf16 for both models
    and the gradients, with a copy of what learns in fp32. samples: second moments of the inputs of matrices, by which
    something is found."""

    numbers: Numbers
    optimizer: Optimizer
    parent: int
    weights: int
    gradients: int
    state: int
    samples: int = 0

    @property
    def recovery(self) -> int:
        """While it recovers."""
        return self.parent + self.weights + self.gradients + self.state

    @property
    def sampling(self) -> int:
        """Before it, with samples beside the parent and the copy that becomes the model; 0 without samples."""
        return 2 * self.parent + self.samples if self.samples else 0

    @property
    def total(self) -> int:
        """The most at a time: samples are done with before the recovery begins."""
        return max(self.recovery, self.sampling)


def memory(before: int, after: int, numbers: Numbers, optimizer: Optimizer, samples: int = 0) -> Memory:
    """Of a recovery of a model with `after` parameters, whose parent has `before`."""
    width = 4 if numbers == "fp32" else 2
    copy = 4 if numbers == "bf16" else 0
    state = 4 * _MOMENTS[optimizer] * after
    return Memory(numbers, optimizer, width * before, (width + copy) * after, width * after, state, samples)
