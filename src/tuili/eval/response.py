"""A response to a problem, from which figures are computed: decoded alone or answered by an engine.

`runner` makes the first kind, `asking` the second.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tuili.engine import Answer
from tuili.steps import Status
from tuili.store import AnyTokenizer
from tuili.tasks import Problem


class Response(Protocol):
    """One problem, the model's response to it, and whether that is right."""

    @property
    def problem(self) -> Problem:
        """What was asked."""
        ...

    @property
    def correct(self) -> bool:
        """Whether the answer is right."""
        ...

    @property
    def nearly_correct(self) -> bool:
        """Whether the answer is right, or at least its last number."""
        ...

    @property
    def answer(self) -> str:
        """The answer that was written; empty if there is none."""
        ...

    @property
    def depths(self) -> Sequence[int]:
        """The layers of every token that was written, in all attempts."""
        ...

    @property
    def depth(self) -> float:
        """Mean number of layers per token of the response; 0.0 for an empty response."""
        ...

    @property
    def ended(self) -> bool:
        """Whether the response ended by itself, before a limit."""
        ...

    @property
    def statuses(self) -> Sequence[Status]:
        """The checker's verdict on every step."""
        ...

    def explained(self, tokenizer: AnyTokenizer) -> Answer:
        """The response with its checked steps and its receipt."""
        ...
