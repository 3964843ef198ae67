"""The interface of a generator: the language model that writes chains and whose states a verifier uses to judge them.

Tuili's own models are in `own`, imported ones in `imported`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from torch import Tensor

from tuili.posttrain.verifier.chains import Chain, GenerationMode, ProgressCallback
from tuili.posttrain.verifier.recipe import ChainCounts
from tuili.tasks import Problem, Split


class Generator(Protocol):
    """A language model with the problems that it is asked."""

    first_modes: tuple[GenerationMode, ...]
    """The modes, in turn, in which it writes what the verifier learns from before the first round."""
    attack_modes: tuple[GenerationMode, ...]
    """The modes, in turn, in which it looks for chains that fool the verifier."""

    @property
    def path(self) -> Path:
        """The folder of the model."""
        ...

    @property
    def hidden_size(self) -> int:
        """The size of its states."""
        ...

    def problems(self, split: Split, number: int, counts: ChainCounts) -> list[Problem]:
        """The problems of a split with this number: 0 is for the first chains, and each round has its own number."""
        ...

    def render(self, problem: Problem, steps: Sequence[str], answer: str, source: str) -> Chain | None:
        """The chain of these steps and this answer; None if they make no response."""
        ...

    def write(
        self, requests: Sequence[tuple[Problem, GenerationMode]], seed: int, tell: ProgressCallback
    ) -> list[Chain]:
        """What the model writes for each problem in its mode, without responses that it does not end by itself."""
        ...

    def reading_order(self, chain: Chain) -> tuple[int, ...]:
        """The sort key by which chains are read."""
        ...

    def features(self, rows: Sequence[tuple[Sequence[int], int]]) -> Tensor:
        """The features [A, Q, F] of responses, with Q tokens in the longest.

        Each row holds the ids of a prompt and its response, and how many of them belong to the prompt.
        """
        ...
