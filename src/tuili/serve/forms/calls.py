"""Function calls in what a model writes: the marks around them, and a reader that finds them piece by piece.

`written_forms` decides which functions there are, and ensures that the text has this form.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

FUNCTION_NAME = "[A-Za-z0-9_-]{1,64}"


class Call(NamedTuple):
    """A function and its arguments as JSON."""

    function: str
    arguments: str


class Said(NamedTuple):
    """What an answer says: a text, calls, or both. content: None if there are only calls."""

    content: str | None
    calls: tuple[Call, ...] = ()


class Calling(Protocol):
    """How an answer calls functions. named: whether the request names the function."""

    @property
    def named(self) -> bool: ...

    def read(self, text: str) -> Said:
        """What an answer with this text says."""


class TextWritten(NamedTuple):
    """A piece of the text outside calls."""

    text: str


class CallBegun(NamedTuple):
    """A function call begins."""

    function: str


class ArgumentsWritten(NamedTuple):
    """A piece of the function's arguments as JSON."""

    text: str


Piece = TextWritten | CallBegun | ArgumentsWritten


@dataclass(frozen=True)
class CallFormat:
    """How a model was trained to write calls: a JSON object with the name and the arguments, between two marks.

    key: the name of the arguments in the object. Without marks, the object is the whole answer.
    """

    opening: str = "<tool_call>"
    before: str = "\n"
    closing: str = "\n</tool_call>"
    key: str = "arguments"

    @classmethod
    def of_template(cls, template: str) -> CallFormat:
        """The format that a chat template describes; the usual one if it describes none."""
        return BARE if '"parameters": dictionary' in template and "<tool_call>" not in template else cls()

    def head(self, function: str) -> str:
        """The beginning of the call's JSON object, up to the arguments."""
        return f'{{"name": {json.dumps(function)}, "{self.key}": '

    def written(self, call: Call) -> str:
        """A call as the model writes it."""
        return f"{self.opening}{self.before}{self.head(call.function)}{call.arguments}}}{self.closing}"


BARE = CallFormat("", "", "", "parameters")
"""The format of Llama 3: a single call, which is the whole answer."""
BARE_MARK = '{"name": "'
"""The beginning of such a call."""


@dataclass(frozen=True)
class ChosenCalls:
    """Calls that a model has written itself, or text."""

    format: CallFormat
    named: bool = False

    def reader(self) -> CallReader:
        """A reader for text that is still being written."""
        return CallReader(self.format)

    def read(self, text: str) -> Said:
        """What a whole text says. A call that was cut off is included as far as it goes, if its function is known."""
        reader, content, calls = self.reader(), "", list[Call]()
        for piece in (*reader.add(text), *reader.end()):
            if isinstance(piece, TextWritten):
                content += piece.text
            elif isinstance(piece, CallBegun):
                calls.append(Call(piece.function, ""))
            else:
                calls[-1] = Call(calls[-1].function, calls[-1].arguments + piece.text)
        return Said(None if calls and not content else content, tuple(calls))


class CallReader:
    """Reads a text piece by piece. Whitespace before a call is not part of the text."""

    def __init__(self, format: CallFormat) -> None:
        self._format, self._mark = format, format.opening or BARE_MARK
        self._head = re.compile(rf'\s*{{"name": "({FUNCTION_NAME})", "{format.key}": ')
        self._held = ""
        """Text that is not certain yet."""
        self._arguments: Nesting | None = None
        """The arguments that are being read; None in text, or before the arguments."""
        self._in_call = self._called = self._talks = False

    def add(self, text: str) -> Iterator[Piece]:
        """The pieces that become certain with a further piece of text."""
        self._held += text
        before = None
        while before != (before := (self._held, self._in_call, self._arguments)):
            if self._arguments is not None:
                yield from self._read_arguments(self._arguments)
            elif self._in_call:
                yield from self._read_head()
            else:
                yield from self._read_text()

    def end(self) -> Iterator[Piece]:
        """What was not certain until the end of the text."""
        if self._held and not self._in_call and not self._called:
            yield TextWritten(self._held)
        self._held = ""

    def _read_text(self) -> Iterator[Piece]:
        text, mark, behind = self._held.partition(self._mark)
        if mark and (self._format.opening or not (self._talks or text.strip())):
            self._in_call, self._held = True, behind if self._format.opening else mark + behind
            shown = text.rstrip()
        else:
            certain = len(self._held) - _begins(self._held, self._mark)
            shown = self._held[:certain].rstrip()
            self._held = self._held[len(shown) :]
        self._talks = self._talks or bool(shown)
        if shown and not self._called:
            yield TextWritten(shown)

    def _read_head(self) -> Iterator[Piece]:
        if (head := self._head.match(self._held)) is not None:
            self._held, self._called, self._arguments = self._held[head.end() :], True, Nesting()
            yield CallBegun(head[1])

    def _read_arguments(self, arguments: Nesting) -> Iterator[Piece]:
        size, end = arguments.read(self._held), "}" + self._format.closing
        if size:
            yield ArgumentsWritten(self._held[:size])
        self._held = self._held[size:]
        if arguments.ended and self._held.startswith(end):
            self._held, self._in_call, self._arguments = self._held[len(end) :], False, None


class Nesting:
    """Finds the end of a JSON object. ended: whether it has been found."""

    def __init__(self) -> None:
        self.ended = False
        self._depth, self._in_string, self._escaped = 0, False, False

    def read(self, text: str) -> int:
        """How many characters of a further piece of text belong to the object."""
        if self.ended:
            return 0
        for place, character in enumerate(text):
            if self._in_string:
                if self._escaped:
                    self._escaped = False
                elif character == "\\":
                    self._escaped = True
                elif character == '"':
                    self._in_string = False
            elif character == '"':
                self._in_string = True
            elif character in "{[":
                self._depth += 1
            elif character in "}]":
                self._depth -= 1
                if not self._depth:
                    self.ended = True
                    return place + 1
        return len(text)


def _begins(text: str, mark: str) -> int:
    """The number of characters at the end of a text that may be the beginning of a mark."""
    longest = min(len(text), len(mark) - 1)
    return next((size for size in range(longest, 0, -1) if mark.startswith(text[-size:])), 0)
