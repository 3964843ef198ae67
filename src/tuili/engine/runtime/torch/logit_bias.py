"""Biases on logits: what a request adds to the logits of some tokens wherever a token is chosen for it.

The exits' probabilities, drafts and samples are those of the biased logits. Reported log-probabilities are not.

Dimensions: A sequences, V vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tuili.engine.sequence import Sequence


class LogitBiases:
    """The biases of the sequences that have slots. Where none has a bias, nothing is computed."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._held: dict[Sequence, tuple[Tensor, Tensor]] = {}

    def hold(self, sequence: Sequence) -> None:
        """Take in the bias of a sequence that starts, if it has one."""
        if sequence.sampling.logit_bias:
            tokens, values = zip(*sequence.sampling.logit_bias, strict=True)
            self._held[sequence] = torch.tensor(tokens, device=self._device), torch.tensor(values, device=self._device)

    def drop(self, sequence: Sequence) -> None:
        """Forget the bias of a sequence that has ended."""
        self._held.pop(sequence, None)

    def add_to(self, logits: Tensor, sequences: list[Sequence]) -> Tensor:
        """The biased logits [A, ..., V] of these sequences: a copy, or the same tensor where nothing is added."""
        biases = (
            [(row, self._held[each]) for row, each in enumerate(sequences) if each in self._held] if self._held else []
        )
        if not biases:
            return logits
        biased = logits.clone()
        for row, (tokens, values) in biases:
            biased[row, ..., tokens] += values.to(logits.dtype)
        return biased
