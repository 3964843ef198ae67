"""What a conversation is: its messages, and the steps and the answer to its last question.

`converse` draws conversations; `tuili.steps.turns_of` turns messages into what a model reads.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

from tuili.errors import InputError
from tuili.steps import Context, Status, Turns, check_chain, read_turns, turns_of
from tuili.tasks.problem import Problem


class Ingredient(StrEnum):
    """What a conversation has besides a single question.

    COURTESY: politeness around the question. SYSTEM: a system message. TURNS: one to three earlier turns that the
    question does not need. FOLLOW_UP: a last question that needs the turns before it.
    """

    COURTESY = "courtesy"
    SYSTEM = "system"
    TURNS = "turns"
    FOLLOW_UP = "follow_up"


class ChatMessage(NamedTuple):
    """One message: its sender (`system`, `user` or `assistant`) and its text."""

    role: str
    content: str


@dataclass(frozen=True)
class Conversation:
    """Messages that end with a question of the user, and the steps and the answer to that question.

    problem: the problem that the conversation was made from. plain: the same request as a single question. domain: the
    domain whose kind of steps lead to the answer. texts: the ids of the texts that it was made with.
    """

    problem: Problem
    ingredients: frozenset[Ingredient]
    messages: tuple[ChatMessage, ...]
    plain: str
    steps: tuple[str, ...]
    answer: str
    domain: str
    texts: tuple[str, ...]

    @property
    def turns(self) -> Turns:
        """What a model is given: the last question, and the turns before it."""
        return turns_of(self.messages)

    @cached_property
    def context(self) -> Context:
        """What the messages give the checker."""
        return Context.from_prompt(*read_turns(*self.turns))

    @property
    def asked(self) -> Problem:
        """The last question as a problem, with the turns before it."""
        labelled, (prompt, earlier) = Context(self.context.facts, self.context.program), self.turns
        worked = replace(self.problem, steps=self.steps, answer=self.answer)
        return replace(worked, prompt=prompt, earlier=earlier, labelled=labelled)

    @property
    def alone(self) -> Problem:
        """The same request as a single question."""
        return replace(self.problem, prompt=self.plain, steps=self.steps, answer=self.answer)

    @property
    def id(self) -> str:
        """The id of the problem, followed by the ids of the texts."""
        return "/".join((self.problem.id, *self.texts))

    @property
    def fault(self) -> str:
        """What is wrong with the first step that is not valid; empty if all steps are valid."""
        for step, verdict in zip(self.steps, check_chain(self.steps, self.context), strict=True):
            if verdict.status is not Status.VALID:
                return f"the step {step!r} is {verdict.status}: {verdict.reason}"
        return ""

    def checked(self) -> Conversation:
        """The conversation itself. Raises `InputError` for the first step that is not valid."""
        if fault := self.fault:
            raise InputError(f"conversation {self.id}: {fault}")
        return self
