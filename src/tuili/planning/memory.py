"""What a recovery keeps in memory: the parent as teacher, and everything that belongs to the model that learns.

Activations and the operating system are not counted: they depend on rows and lengths, not on the plan.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Numbers = Literal["fp32", "bf16"]
Optimizer = Literal["adamw", "muon"]
_MOMENTS = {"adamw": 2, "muon": 1}
"""fp32 numbers that an optimizer stores for each parameter; Muon's AdamW for embeddings is counted as Muon."""


@dataclass(frozen=True)
class Memory:
    """Bytes. numbers: fp32 everywhere, as `tuili compress` trains models of Tuili's own kind; or bf16 for both models
    and the gradients, with an fp32 copy of what learns. samples: second moments of the inputs of matrices, if the
    method uses samples."""

    numbers: Numbers
    optimizer: Optimizer
    parent: int
    weights: int
    gradients: int
    state: int
    samples: int = 0

    @property
    def recovery(self) -> int:
        """The memory during the recovery."""
        return self.parent + self.weights + self.gradients + self.state

    @property
    def sampling(self) -> int:
        """The memory before it, for samples, the parent and the copy that becomes the model; 0 without samples."""
        return 2 * self.parent + self.samples if self.samples else 0

    @property
    def total(self) -> int:
        """The peak: samples are no longer needed when the recovery begins."""
        return max(self.recovery, self.sampling)


def memory(before: int, after: int, numbers: Numbers, optimizer: Optimizer, samples: int = 0) -> Memory:
    """The memory for the recovery of a model with `after` parameters, whose parent has `before`."""
    width = 4 if numbers == "fp32" else 2
    copy = 4 if numbers == "bf16" else 0
    state = 4 * _MOMENTS[optimizer] * after
    return Memory(numbers, optimizer, width * before, (width + copy) * after, width * after, state, samples)
