"""`POST /v1/responses`: answers a question or a conversation with an item of reasoning and a message."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from tuili.engine import Answer, Answered, Event, Request, StepJudged, TokenWritten
from tuili.serve.answers import ReasoningText, judged_step, refusal
from tuili.serve.chats import read_chat
from tuili.serve.dispatch import Dispatcher
from tuili.serve.engine_requests import Asked, budget_for, read_conversation, sampling_for
from tuili.serve.errors import HttpError
from tuili.serve.forms.marked_fields import read_marked_fields
from tuili.serve.forms.structured import AnswerForm, form_for
from tuili.serve.kept_items import KeptItems, check_all_found
from tuili.serve.replies import JsonReply
from tuili.serve.routes.api_route import ApiRoute
from tuili.serve.routes.response_builder import ResponseBuilder, effort_of, message_part
from tuili.serve.schemas.formats import Text
from tuili.serve.schemas.messages import Message, ReasoningInput, Turn, without_calls
from tuili.serve.schemas.requests import ResponsesRequest
from tuili.serve.schemas.tools import forced_form
from tuili.serve.streams import EventStream


async def responses(body: ResponsesRequest, http: HttpRequest) -> Response:
    """`stream: true` sends events named by their type, the last of which holds the whole."""
    kept: KeptItems = http.app.state.kept_items
    client = http.state.caller.client
    if not isinstance(body.input, str):
        body = body.model_copy(update={"input": kept.put_in(client, body.input)})
    dispatcher = Dispatcher.for_model(http, body.model, requested_form(body))
    if dispatcher.served.conversation == "multi":
        check_all_found(body.input)
    if dispatcher.served.prose:
        chat = read_chat(turns_of(body), "input", body.instructions)
        asked = Asked("", messages=chat, thinks=effort_of(body) != "none")
    else:
        messages, dispatcher.form = read_marked_fields(conversation_of(body), dispatcher.form)
        asked = read_conversation(messages, dispatcher.served.conversation, "input", -1 if body.instructions else 0)
    request = engine_request(body, asked)
    builder = ResponseBuilder(body, dispatcher.served.name, None if dispatcher.form is None else dispatcher.form.call)

    def keep(answer: Answer) -> None:
        if body.store is not False:
            kept.keep(client, builder.answer_item(answer))

    if body.stream:
        return EventStream(dispatcher.batches([request]), ResponseStream(builder, keep, dispatcher.form is None))
    (answer,) = await dispatcher.answers([request])
    keep(answer)
    return JsonReply(builder.ended(answer))


def requested_form(body: ResponsesRequest) -> AnswerForm | None:
    """The form of JSON that is asked for, by a format or by a function that is to be called; None for text.

    Raises `HttpError`.
    """
    form = forced_form(body.tools, body.tool_choice)
    format = None if body.text is None else body.text.format
    if form is None:
        return form_for(format)
    if not isinstance(format, Text | None):
        raise HttpError(400, "text.format: a function is called instead", "invalid_value", "text.format")
    return form


def turns_of(body: ResponsesRequest) -> list[Turn]:
    """The input as turns."""
    return [Message(role="user", content=body.input)] if isinstance(body.input, str) else [*body.input]


def conversation_of(body: ResponsesRequest) -> list[Message | ReasoningInput]:
    """The instructions and the input, as messages."""
    messages = without_calls(turns_of(body), "input")
    if body.instructions:
        messages.insert(0, Message(role="developer", content=body.instructions))
    return messages


def engine_request(body: ResponsesRequest, asked: Asked) -> Request:
    """What the engine is asked."""
    budget = budget_for(effort_of(body), body.max_output_tokens, body.budget.model_dump())
    return asked.request(budget, sampling_for(body, None), body)


class ResponseStream:
    """What a stream tells of a response: its events, numbered from 0. keep: called with the answer.

    streams: whether what is certain of an answer is told as it comes.
    """

    named = True

    def __init__(self, builder: ResponseBuilder, keep: Callable[[Answer], None], streams: bool) -> None:
        self._builder, self._numbers, self._reasoning, self._text = builder, count(), ReasoningText(), ""
        self._keep, self._streams = keep, streams
        self._begun, self._answering = False, False
        """Whether anything was told, and whether the message with the answer has been begun."""
        self._first: TokenWritten | None = None
        """The token that begins the answer. It may close a step, which is told of before it."""
        self._told = 0
        """Characters of the answer that have been told."""
        self._in_reasoning = {"item_id": builder.reasoning_id, "output_index": 0, "content_index": 0}
        self._in_message = {"item_id": builder.message_id, "output_index": 1, "content_index": 0}

    def of_event(self, index: int, event: Event) -> Iterator[dict[str, Any]]:
        """The events on the wire of an event of the engine."""
        if not self._begun:
            self._begun = True
            yield from self._beginning()
        if isinstance(event, StepJudged):
            yield self._named("reasoning_text.delta", **self._in_reasoning, delta="", step=judged_step(event))
            return
        if self._first is not None:
            first, self._first, self._answering = self._first, None, True
            yield from self._end_of_reasoning()
            yield self._named("output_item.added", output_index=1, item=self._builder.message_item(None))
            yield self._named("content_part.added", **self._in_message, part=message_part(None))
            yield self._answer_delta(first)
        if isinstance(event, TokenWritten):
            yield from self._token(event)
        elif isinstance(event, Answered):
            self._keep(event.answer)
            yield from self._ending(event.answer)

    def at_end(self) -> tuple[()]:
        """Nothing: the event with the answer is the last one."""
        return ()

    def _beginning(self) -> Iterator[dict[str, Any]]:
        builder = self._builder
        yield self._named("created", response=builder.in_progress())
        yield self._named("in_progress", response=builder.in_progress())
        yield self._named("output_item.added", output_index=0, item=builder.reasoning_item(None))
        yield self._named("content_part.added", **self._in_reasoning, part={"type": "reasoning_text", "text": ""})

    def _token(self, event: TokenWritten) -> Iterator[dict[str, Any]]:
        if self._answering:
            if event.answer:
                yield self._answer_delta(event)
            return
        new = self._reasoning.delta(event)
        self._text += new
        self._first = event if event.answer and self._streams else None
        if new or self._first is None:
            yield self._named("reasoning_text.delta", **self._in_reasoning, delta=new, depth=event.depth)

    def _answer_delta(self, event: TokenWritten) -> dict[str, Any]:
        self._told += len(event.answer)
        delta = {"delta": event.answer, "logprobs": [], "depth": event.depth}
        return self._named("output_text.delta", **self._in_message, **delta)

    def _end_of_reasoning(self) -> Iterator[dict[str, Any]]:
        text = self._text
        yield self._named("reasoning_text.done", **self._in_reasoning, text=text)
        yield self._named("content_part.done", **self._in_reasoning, part={"type": "reasoning_text", "text": text})
        yield self._named("output_item.done", output_index=0, item=self._builder.reasoning_item(text))

    def _ending(self, answer: Answer) -> Iterator[dict[str, Any]]:
        builder = self._builder
        if self._answering:
            told = _end_of_message(builder, answer, self._told)
        else:
            yield from self._end_of_reasoning()
            called = builder.call is not None and refusal(answer) is None
            told = _call_events(builder, answer) if called else _message_events(builder, answer)
        for kind, fields in told:
            yield self._named(kind, output_index=1, **fields)
        yield self._named("output_item.done", output_index=1, item=builder.answer_item(answer))
        response = builder.ended(answer)
        yield self._named(response["status"], response=response)

    def _named(self, kind: str, **fields: object) -> dict[str, Any]:
        return {"type": f"response.{kind}", "sequence_number": next(self._numbers), **fields}


def _call_events(builder: ResponseBuilder, answer: Answer) -> Iterator[tuple[str, dict[str, object]]]:
    """The names and fields of the events of the call of a function."""
    assert builder.call is not None
    yield "output_item.added", {"item": builder.call_item(None, builder.call)}
    of_call = {"item_id": builder.function_id}
    yield "function_call_arguments.delta", {**of_call, "delta": answer.answer}
    yield "function_call_arguments.done", {**of_call, "name": builder.call.function, "arguments": answer.answer}


def _message_events(builder: ResponseBuilder, answer: Answer) -> Iterator[tuple[str, dict[str, object]]]:
    """The names and fields of the events of the message with an answer, or with the reason that there is none."""
    yield "output_item.added", {"item": builder.message_item(None)}
    in_message, reason = {"item_id": builder.message_id, "content_index": 0}, refusal(answer)
    if reason is None:
        yield "content_part.added", {**in_message, "part": message_part(None)}
        yield from _end_of_message(builder, answer, 0)
        return
    yield "content_part.added", {**in_message, "part": {"type": "refusal", "refusal": ""}}
    yield "refusal.delta", {**in_message, "delta": reason}
    yield "refusal.done", {**in_message, "refusal": reason}
    yield "content_part.done", {**in_message, "part": message_part(answer)}


def _end_of_message(builder: ResponseBuilder, answer: Answer, told: int) -> Iterator[tuple[str, dict[str, object]]]:
    """The same of the end of a message with an answer, of which so many characters have been told."""
    in_message = {"item_id": builder.message_id, "content_index": 0}
    if rest := answer.answer[told:]:
        yield "output_text.delta", {**in_message, "delta": rest, "logprobs": []}
    yield "output_text.done", {**in_message, "text": answer.answer, "logprobs": []}
    yield "content_part.done", {**in_message, "part": message_part(answer)}


ROUTES = (ApiRoute("POST", "/v1/responses", responses, "Answer a conversation, as items", ResponsesRequest),)
