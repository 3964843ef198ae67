"""The interface of a dialect: how requests become prompts, and how responses are parsed.

The engine, its control loop and its events go through this interface and do not distinguish between models themselves.
"""

from __future__ import annotations

from collections.abc import Sequence as Tokens
from typing import TYPE_CHECKING, NamedTuple, Protocol

from tuili.engine.attempt import Attempt
from tuili.engine.request import Request
from tuili.engine.sequence import Sequence
from tuili.engine.written import CheckedStep
from tuili.steps import Turns, programs
from tuili.store import AnyTokenizer

if TYPE_CHECKING:
    from tuili.engine.controller import RequestState


class ReadRequest(NamedTuple):
    """A request as interpreted by the dialect, and its prompt as tokens.

    question: the slice of `ids` whose log-probabilities may be requested, without the tokens that were added around it;
    meaningless if none are requested.
    """

    request: Request
    ids: list[int]
    question: slice


class Claims(NamedTuple):
    """What an answer has to settle: the claim in the prompt, and the examples of a program that it shows."""

    claim: str | None = None
    shown: programs.Specification | None = None


class ResponseReader(Protocol):
    """Reads a response piece by piece while it is being written."""

    @property
    def thought(self) -> str | None:
        """What the last piece added to the thinking; None if readers find it in the text themselves."""
        ...

    @property
    def answer(self) -> str:
        """What the last piece added to the answer, if it can already be shown as answer."""
        ...

    @property
    def open_step(self) -> str | None:
        """The unfinished line of the thinking; None outside of thinking."""
        ...

    def add(self, text: str, ends: bool) -> list[str]:
        """The steps completed by this text. ends: whether the response ends with it."""
        ...


class Dialect(Protocol):
    """How a model is prompted, and how its responses are read."""

    @property
    def tokenizer(self) -> AnyTokenizer:
        """The tokenizer of the model."""
        ...

    @property
    def prose(self) -> bool:
        """Whether responses are prose, which is shown while it is being written."""
        ...

    def read(self, request: Request, context: int) -> ReadRequest:
        """The request with its prompt as tokens. context: the maximum tokens of the model.

        Raises `PromptError` for a prompt that cannot be read, `InputError` for what this kind of model does not
        support.
        """
        ...

    def encode(self, turns: Turns, context: int) -> list[int]:
        """The tokens of a question that follows earlier turns. Raises `PromptError` as `read` does."""
        ...

    def claims(self, request: Request) -> Claims:
        """What an answer to a request that has been read has to settle."""
        ...

    def prefix_ids(self, prompt: Tokens[int], steps: tuple[CheckedStep, ...]) -> list[int]:
        """The ids of a response that begins with these steps, following a prompt."""
        ...

    def reader(self, sequence: Sequence) -> ResponseReader:
        """A reader for the response of a sequence while it is being written."""
        ...

    def check(
        self, sequence: Sequence, prefix: tuple[CheckedStep, ...], state: RequestState, refines_untraced: bool
    ) -> Attempt:
        """Turn a sequence that has ended into an attempt, with its steps checked.

        Args:
            refines_untraced: whether a step with untraced numbers triggers a further attempt.
        """
        ...
