"""The interface of a dialect: how requests become prompts, and what a response consists of.

The engine, its control loop and its events ask it, and know of no difference between models themselves.
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
    """A request as it is read, and its prompt as tokens.

    question: where in `ids` the tokens stand whose log-probabilities may be asked for, without those that were put
    around them; of no meaning if they are not.
    """

    request: Request
    ids: list[int]
    question: slice


class Claims(NamedTuple):
    """What an answer has to settle: what the prompt claims, and the examples that it shows of a program."""

    claim: str | None = None
    shown: programs.Specification | None = None


class ResponseReader(Protocol):
    """Takes in a response that is still being written, piece by piece."""

    @property
    def thought(self) -> str | None:
        """What the last piece has added to the thinking; None where readers find it in the text themselves."""
        ...

    @property
    def answer(self) -> str:
        """What the last piece has added to the answer, where it is an answer already."""
        ...

    @property
    def open_step(self) -> str | None:
        """The line of the thinking that is not whole yet; None outside of thinking."""
        ...

    def add(self, text: str, ends: bool) -> list[str]:
        """The steps that have become whole with this text, which may be the end of the response."""
        ...


class Dialect(Protocol):
    """How a model is asked, and how its responses are read."""

    @property
    def tokenizer(self) -> AnyTokenizer:
        """The tokenizer of the model."""
        ...

    @property
    def prose(self) -> bool:
        """Whether responses are prose, which is shown as it is written."""
        ...

    def read(self, request: Request, context: int) -> ReadRequest:
        """The request with its prompt as tokens. context: tokens that the model can take.

        Raises `PromptError` for a prompt that cannot be read, `InputError` for what this kind of model does not do.
        """
        ...

    def encode(self, turns: Turns, context: int) -> list[int]:
        """A question behind earlier turns as tokens. Raises `PromptError` as `read` does."""
        ...

    def claims(self, request: Request) -> Claims:
        """What an answer to a request that has been read has to settle."""
        ...

    def prefix_ids(self, prompt: Tokens[int], steps: tuple[CheckedStep, ...]) -> list[int]:
        """The ids of a response that begins with these steps, behind a prompt."""
        ...

    def reader(self, sequence: Sequence) -> ResponseReader:
        """What reads the response of a sequence while it is being written."""
        ...

    def check(
        self, sequence: Sequence, prefix: tuple[CheckedStep, ...], state: RequestState, refines_untraced: bool
    ) -> Attempt:
        """A sequence that has ended, with its steps checked.

        Args:
            refines_untraced: whether a step with numbers from nowhere is a reason for a further attempt.
        """
        ...
