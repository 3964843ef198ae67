"""What a stream of `POST /v1/responses` sends of the answer: its items one after the other, a message and function
calls, each from its beginning to its end. What precedes them in the stream is left to `responses`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tuili.engine import Answer
from tuili.serve.answers import finish_reason, refusal, said
from tuili.serve.forms.calls import (
    ArgumentsWritten,
    Call,
    CallBegun,
    CallReader,
    ChosenCalls,
    Piece,
    TextWritten,
)
from tuili.serve.routes.response_builder import ResponseBuilder, text_part
from tuili.serve.schemas.items import Progress

NamedEvent = tuple[str, dict[str, Any]]
"""The name of an event, and its fields."""


class AnswerItems:
    """Produces the events of the items of an answer, after the reasoning item."""

    def __init__(self, builder: ResponseBuilder) -> None:
        self._builder = builder
        self._reader: CallReader | None = None
        if isinstance(builder.call, ChosenCalls):
            self._reader = builder.call.reader()
        self._message: str | None = None
        """The text of the message so far; None before the message has begun."""
        self._calls: list[Call] = []
        self._open = False
        """Whether the last item is unfinished."""

    def add(self, text: str, depth: int | None) -> Iterator[NamedEvent]:
        """The events for a further piece of the answer. depth: the number of layers its token used, if it has one."""
        pieces = [TextWritten(text)] if self._reader is None else list(self._reader.add(text))
        for piece in pieces:
            yield from self._piece(piece, depth)

    def end(self, answer: Answer, told: int) -> Iterator[NamedEvent]:
        """The events for the part of a whole answer that was not sent: all after the first `told` characters."""
        if (reason := refusal(answer)) is not None:
            yield from self._refused(reason, answer)
            return
        content, calls = said(answer, self._builder.call)
        if self._reader is not None:
            yield from self.add(answer.answer[told:], None)
            for piece in self._reader.end():
                yield from self._piece(piece, None)
        elif calls:
            for call in calls:
                yield from self._piece(CallBegun(call.function), None)
                yield from self._piece(ArgumentsWritten(call.arguments), None)
        elif rest := (content or "")[told:]:
            yield from self._piece(TextWritten(rest), None)
        if content is not None and self._message is None:
            yield from self._begin_message()
        yield from self._close(finish_reason(answer) == "length")

    def _piece(self, piece: Piece, depth: int | None) -> Iterator[NamedEvent]:
        if isinstance(piece, CallBegun):
            yield from self._close(False)
            self._calls.append(Call(piece.function, ""))
            self._open = True
            item = self._builder.call_item(len(self._calls) - 1, self._calls[-1], "in_progress")
            yield "output_item.added", {"output_index": self._index, "item": item}
        elif isinstance(piece, TextWritten):
            if self._message is None:
                yield from self._begin_message()
            self._message = (self._message or "") + piece.text
            told = {} if depth is None else {"depth": depth}
            yield "output_text.delta", {**self._in_message, "delta": piece.text, "logprobs": [], **told}
        else:
            call = self._calls[-1] = Call(self._calls[-1].function, self._calls[-1].arguments + piece.text)
            item = self._builder.call_item(len(self._calls) - 1, call, "in_progress")
            in_call = {"item_id": item["id"], "output_index": self._index}
            yield "function_call_arguments.delta", {**in_call, "delta": piece.text}

    def _begin_message(self) -> Iterator[NamedEvent]:
        self._message, self._open = "", True
        yield "output_item.added", {"output_index": 1, "item": self._builder.message_item(None)}
        yield "content_part.added", {**self._in_message, "part": text_part("")}

    def _close(self, cut: bool) -> Iterator[NamedEvent]:
        """The events that end the last item, if it is unfinished. cut: whether a limit has ended it."""
        if not self._open:
            return
        self._open = False
        status: Progress = "incomplete" if cut else "completed"
        if self._calls:
            item = self._builder.call_item(len(self._calls) - 1, self._calls[-1], status)
            in_call = {"item_id": item["id"], "output_index": self._index}
            done = {"name": item["name"], "arguments": item["arguments"]}
            yield "function_call_arguments.done", {**in_call, **done}
            yield "output_item.done", {"output_index": self._index, "item": item}
            return
        text = self._message or ""
        yield "output_text.done", {**self._in_message, "text": text, "logprobs": []}
        yield "content_part.done", {**self._in_message, "part": text_part(text)}
        yield "output_item.done", {"output_index": 1, "item": self._builder.message_item(text, status)}

    def _refused(self, reason: str, answer: Answer) -> Iterator[NamedEvent]:
        yield "output_item.added", {"output_index": 1, "item": self._builder.message_item(None)}
        yield "content_part.added", {**self._in_message, "part": {"type": "refusal", "refusal": ""}}
        yield "refusal.delta", {**self._in_message, "delta": reason}
        yield "refusal.done", {**self._in_message, "refusal": reason}
        (item,) = self._builder.answer_items(answer)
        yield "content_part.done", {**self._in_message, "part": {"type": "refusal", "refusal": reason}}
        yield "output_item.done", {"output_index": 1, "item": item}

    @property
    def _index(self) -> int:
        """The index of the last call in the output."""
        return len(self._calls) + (self._message is not None)

    @property
    def _in_message(self) -> dict[str, Any]:
        return {"item_id": self._builder.message_id, "output_index": 1, "content_index": 0}
