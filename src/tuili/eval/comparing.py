"""How an answer is compared with the right one, where the problems are those of a file.

How two answers or two numbers are the same is left to `tuili.tasks`.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from tuili.steps import programs
from tuili.store import AnyTokenizer, Tokenizer, read_thinking_file
from tuili.tasks import last_number, same_amount, same_answer


class Comparison(StrEnum):
    """What of an answer is compared. The values are texts for users."""

    EXACT = "whole answer"
    """As `tuili.tasks.score` does: the form counts, too."""
    VALUE = "whole answer, numbers by value"
    """A number is the same in whatever form, see `tuili.tasks.same_amount`."""
    PROSE = "last number of the prose"
    """Of an answer in prose to a question whose answer is a number. Others are compared as texts."""

    @classmethod
    def of_model(cls, folder: Path, tokenizer: AnyTokenizer) -> Comparison:
        """How answers of a model are compared: one that was taught to think in steps answers barely behind them."""
        bare = isinstance(tokenizer, Tokenizer) or read_thinking_file(folder) is not None
        return cls.VALUE if bare else cls.PROSE

    def is_right(self, expected: str, given: str, specification: programs.Specification | None = None) -> bool:
        """Whether an answer is right. specification: where it is a program, which others are right, too."""
        if self is Comparison.PROSE:
            given = given.strip().removesuffix(".")
        if same_answer(expected, given, specification):
            return True
        return self is not Comparison.EXACT and same_amount(
            expected, last_number(given) if self is Comparison.PROSE else given
        )
