"""Logit biases and grammars: what a request adds to the logits of some tokens, and which tokens it allows, whenever a
token is chosen for it. `tuili.grammars` follows grammars, `thinking` follows thinking.

Exit probabilities, drafts and samples use the biased logits. Reported log-probabilities do not.

Dimensions: N rows, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence as Tokens
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuili.engine.runtime.sampler import Logits
from tuili.engine.runtime.step import ModelStep, StepBatch
from tuili.engine.runtime.thinking import ThinkingRows
from tuili.engine.sequence import Sequence
from tuili.grammars import GrammarState
from tuili.native import Among

NOTHING: Iterable[Tokens[int]] = repeat(())
"""No drafted tokens, for any number of sequences."""


class LogitBiases:
    """The biases and grammars of the sequences that have slots. While it is empty, no logits need to be changed.

    Args:
        thinking: tracks which sequences are inside thinking that uses its own tokens; None if there are no such tokens.
    """

    def __init__(self, thinking: ThinkingRows | None = None) -> None:
        self._thinking = thinking
        self._held: dict[Sequence, tuple[NDArray[np.intp], NDArray[np.float32]]] = {}
        self._grammars: dict[Sequence, GrammarState] = {}

    def __len__(self) -> int:
        return len(self._held) + len(self._grammars)

    def hold(self, sequence: Sequence) -> None:
        """Register the bias and the grammar of a sequence that starts, if it has any."""
        if sequence.sampling.logit_bias:
            tokens, values = zip(*sequence.sampling.logit_bias, strict=True)
            self._held[sequence] = np.array(tokens, np.intp), np.array(values, np.float32)
        if sequence.grammar is not None:
            self._grammars[sequence] = sequence.grammar.begin()

    def drop(self, sequence: Sequence) -> None:
        """Forget the bias and the grammar of a sequence that has ended."""
        self._held.pop(sequence, None)
        self._grammars.pop(sequence, None)
        if self._thinking is not None:
            self._thinking.drop(sequence)

    def rewind(self, sequence: Sequence) -> None:
        """Record that the last tokens of a sequence have been taken back. Grammars detect that themselves."""
        if self._thinking is not None:
            self._thinking.drop(sequence)

    def exit(
        self,
        step: ModelStep[Any],
        batch: StepBatch,
        rows: list[int],
        sequences: list[Sequence],
        drafted: Iterable[Tokens[int]] = NOTHING,
    ) -> bool:
        """Run the model's head for rows of sequences, then `choose`. Returns whether the full head ran for all."""
        inside = [self._in_thinking(each, tokens) for each, tokens in zip(sequences, drafted, strict=False)]
        parts: tuple[tuple[Among, bool], ...] = (("all", False), ("thinking", True))
        for among, wanted in parts:
            if part := [row for row, each in zip(rows, inside, strict=True) if each is wanted]:
                batch.going[: len(part)] = part
                step.exit(batch, len(part), among)
        self.choose(step, batch, rows, sequences, drafted)
        return not any(inside)

    def _in_thinking(self, sequence: Sequence, drafted: Tokens[int]) -> bool:
        """Whether the next token is chosen among the thinking tokens. It is not if a grammar allows none of them."""
        thinking, grammar = self._thinking, self._grammars.get(sequence)
        if thinking is None or not thinking.inside(sequence, drafted):
            return False
        return grammar is None or bool(grammar.allowed([*sequence.tokens, *drafted])[thinking.ids].any())

    def add(self, logits_V: Logits, sequence: Sequence, drafted: Tokens[int] = ()) -> Logits:
        """The biased logits of a sequence, minus infinity for tokens that its grammar does not allow. Returns a copy,
        or the same array if nothing changes.

        Args:
            drafted: tokens that follow those of the sequence.
        """
        if sequence in self._held:
            tokens, values = self._held[sequence]
            logits_V = logits_V.copy()
            logits_V[tokens] += values
        if sequence in self._grammars:
            allowed_V = self._grammars[sequence].allowed([*sequence.tokens, *drafted])[: len(logits_V)]
            masked_V = np.full_like(logits_V, -np.inf)
            np.copyto(masked_V[: len(allowed_V)], logits_V[: len(allowed_V)], where=allowed_V)
            return masked_V
        return logits_V

    def choose(
        self,
        step: ModelStep[Any],
        batch: StepBatch,
        rows: list[int],
        sequences: list[Sequence],
        drafted: Iterable[Tokens[int]] = NOTHING,
    ) -> None:
        """After an exit, recompute `best` and `top_prob` for the rows of sequences with a bias or a grammar.

        Args:
            drafted: for each row, the tokens that follow those of its sequence.
        """
        changed = [
            (row, sequence, tokens)
            for row, sequence, tokens in zip(rows, sequences, drafted, strict=False)
            if sequence in self._held or sequence in self._grammars
        ]
        if not changed:
            return
        logits_NV = step.logits(batch, [row for row, _, _ in changed])
        for (row, sequence, tokens), logits_V in zip(changed, logits_NV, strict=True):
            biased_V = self.add(logits_V, sequence, tokens)
            best = int(biased_V.argmax())
            batch.best[row] = best
            batch.top_prob[row] = 1 / np.exp(biased_V - biased_V[best]).sum()
