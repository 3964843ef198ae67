"""Turns the messages of a conversation into what a model is given: the last question, and the turns before it.

`store` turns these into tokens; `prompt` decides what they give the checker.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from tuili.errors import InputError

INSTRUCTING_ROLES = ("system", "developer")
BETWEEN_MESSAGES = "\n\n"
"""The separator between the messages of one turn. An empty line ends a sentence, so that instructions without a full
stop do not become part of the sentence after them."""


class Turns(NamedTuple):
    """What a model is given of a conversation: the last question, and the earlier questions with their answers."""

    prompt: str
    earlier: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, asked: str | Turns) -> Turns:
        """Returns turns unchanged, and a text as a single question."""
        return cls(asked) if isinstance(asked, str) else asked


class MisplacedMessage(InputError):
    """A message in a place that no model knows. `place`: its number among the messages, counted from 0."""

    def __init__(self, place: int, reason: str) -> None:
        super().__init__(reason)
        self.place = place


def turns_of(messages: Iterable[tuple[str, str]]) -> Turns:
    """The turns of messages, each a role and a text. Instructions become the first lines of the question after them.

    Raises `MisplacedMessage` for an answer without a question before it, and for instructions between a question and
    its answer.
    """
    earlier: list[tuple[str, str]] = []
    question: list[str] = []
    user_has_asked = False
    for place, (role, text) in enumerate(messages):
        if role == "assistant":
            if not user_has_asked:
                raise MisplacedMessage(place, "an answer without a question before it")
            earlier.append((BETWEEN_MESSAGES.join(question), text))
            question, user_has_asked = [], False
        elif user_has_asked and role != "user":
            raise MisplacedMessage(place, "instructions stand before the question")
        else:
            question.append(text)
            user_has_asked = user_has_asked or role == "user"
    return Turns(BETWEEN_MESSAGES.join(question), tuple(earlier))
