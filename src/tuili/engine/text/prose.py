"""Prose responses: splits a whole text, or one that is still being written, into thinking and answer.

Thinking is between `<think>` and `</think>` at the beginning of a response, or unclosed if it runs to the end. The
prompt may already have opened it. Everything else is the answer, as written, without the white space after the
thinking.
"""

from __future__ import annotations

from typing import NamedTuple

from tuili.engine.sequence import Sequence
from tuili.steps import END_THINK, THINK
from tuili.store import AnyTokenizer, opens_thinking


class Prose(NamedTuple):
    """The parts of a response. begins: the index at which the answer begins in the text."""

    thinking: str
    answer: str
    begins: int


def begins_inside(tokenizer: AnyTokenizer, sequence: Sequence) -> bool:
    """Whether a response begins inside thinking."""
    return bool(sequence.prefix_steps) or opens_thinking(tokenizer, sequence.prompt)


def split_prose(text: str, inside: bool) -> Prose:
    """Split a whole response into its parts. inside: whether the prompt has opened its thinking."""
    body = text if inside else text.lstrip()
    if not inside and not body.startswith(THINK):
        return Prose("", text, 0)
    thinking, closed, behind = (body if inside else body.removeprefix(THINK)).partition(END_THINK)
    answer = behind.lstrip() if closed else ""
    return Prose(thinking, answer, len(text) - len(answer))


class ProseReader:
    """Reads a response piece by piece, every piece once. Its parts are those that `split_prose` finds.

    Args:
        inside: whether the prompt has opened the thinking.
    """

    def __init__(self, inside: bool = False) -> None:
        self.thought = self.answer = ""
        """What the last piece added to the thinking and to the answer."""
        self.thinking = inside
        """Whether the thinking is open."""
        self._begun, self._answering = inside, False
        self._held = self._line = ""
        """Text that may become a tag, and the unfinished line of thinking."""

    @property
    def open_step(self) -> str | None:
        """The unfinished line of thinking; None outside of thinking."""
        return self._line + self._held if self.thinking else None

    def add(self, text: str, ends: bool) -> list[str]:
        """The lines of thinking completed by this text. ends: whether the response ends with it."""
        self.thought = self.answer = ""
        self._held += text
        if not self._begun:
            self._begin(ends)
        lines = self._think(ends) if self.thinking else []
        if self._begun and not self.thinking:
            self._answer()
        return lines

    def _begin(self, ends: bool) -> None:
        """Decide whether the response begins with thinking, as soon as that is certain."""
        body = self._held.lstrip()
        if body.startswith(THINK):
            self._held, self._begun, self.thinking = body.removeprefix(THINK), True, True
        elif ends or not THINK.startswith(body):
            self._begun = self._answering = True

    def _think(self, ends: bool) -> list[str]:
        thought, closed, behind = self._held.partition(END_THINK)
        if closed:
            self.thinking, self._held = False, behind
        else:
            kept = 0 if ends else _may_begin_tag(thought)
            thought, self._held = thought[: len(thought) - kept], thought[len(thought) - kept :]
        self.thought = thought
        lines = (self._line + thought).split("\n")
        self._line = "" if closed or ends else lines.pop()
        return [step for line in lines for part in line.splitlines() if (step := part.strip())]

    def _answer(self) -> None:
        self.answer = self._held if self._answering else self._held.lstrip()
        self._answering, self._held = self._answering or bool(self.answer), ""


def _may_begin_tag(text: str) -> int:
    """The number of characters at the end of a text that may be the beginning of `</think>`."""
    longest = min(len(text), len(END_THINK) - 1)
    return next((size for size in range(longest, 0, -1) if END_THINK.startswith(text[-size:])), 0)
