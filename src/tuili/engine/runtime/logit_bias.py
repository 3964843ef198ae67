"""Biases on logits: what a request adds to the logits of some tokens wherever a token is chosen for it.

The exits' probabilities, drafts and samples are those of the biased logits. Reported log-probabilities are not.

Dimensions: N rows, V vocabulary.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuili.engine.runtime.sampler import Logits
from tuili.engine.runtime.step import ModelStep, StepBatch
from tuili.engine.sequence import Sequence


class LogitBiases:
    """The biases of the sequences that have slots. While it is empty, nothing is to be added."""

    def __init__(self) -> None:
        self._held: dict[Sequence, tuple[NDArray[np.intp], NDArray[np.float32]]] = {}

    def __len__(self) -> int:
        return len(self._held)

    def hold(self, sequence: Sequence) -> None:
        """Take in the bias of a sequence that starts, if it has one."""
        if sequence.sampling.logit_bias:
            tokens, values = zip(*sequence.sampling.logit_bias, strict=True)
            self._held[sequence] = np.array(tokens, np.intp), np.array(values, np.float32)

    def drop(self, sequence: Sequence) -> None:
        """Forget the bias of a sequence that has ended."""
        self._held.pop(sequence, None)

    def add(self, logits_V: Logits, sequence: Sequence) -> Logits:
        """The biased logits of a sequence: a copy, or the same array where nothing is added."""
        if sequence not in self._held:
            return logits_V
        tokens, values = self._held[sequence]
        biased_V = logits_V.copy()
        biased_V[tokens] += values
        return biased_V

    def choose(self, step: ModelStep[Any], batch: StepBatch, rows: list[int], sequences: list[Sequence]) -> None:
        """Behind an exit, work out `best` and `top_prob` of the rows of sequences with a bias once more, with it."""
        biased = [place for place, sequence in enumerate(sequences) if sequence in self._held]
        if not biased:
            return
        logits_NV = step.logits(batch, [rows[place] for place in biased])
        for place, logits_V in zip(biased, logits_NV, strict=True):
            biased_V = self.add(logits_V, sequences[place])
            best = int(biased_V.argmax())
            batch.best[rows[place]] = best
            batch.top_prob[rows[place]] = 1 / np.exp(biased_V - biased_V[best]).sum()
