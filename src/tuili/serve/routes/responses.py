"""`POST /v1/responses`: answers a question or a conversation with an item of reasoning and a message."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from tuili.engine import Answer, Answered, Event, Request, StepJudged, TokenWritten
from tuili.serve.answers import ReasoningText, judged_step
from tuili.serve.chats import read_chat, told_in_words
from tuili.serve.dispatch import Dispatcher
from tuili.serve.engine_requests import Asked, budget_for, read_conversation, sampling_for
from tuili.serve.errors import HttpError
from tuili.serve.forms.calls import Calling
from tuili.serve.forms.marked_fields import read_marked_fields
from tuili.serve.forms.structured import AnswerForm, form_for
from tuili.serve.forms.written_forms import written_form
from tuili.serve.kept_items import KeptItems, check_all_found
from tuili.serve.replies import JsonReply
from tuili.serve.routes.answer_items import AnswerItems, NamedEvent
from tuili.serve.routes.api_route import ApiRoute
from tuili.serve.routes.response_builder import ResponseBuilder, effort_of
from tuili.serve.schemas.formats import Text
from tuili.serve.schemas.messages import Message, ReasoningInput, Turn, without_calls
from tuili.serve.schemas.requests import ResponsesRequest
from tuili.serve.schemas.tools import forced_form
from tuili.serve.streams import EventStream


async def responses(body: ResponsesRequest, http: HttpRequest) -> Response:
    """`stream: true` sends events named by their type, the last of which contains the whole response."""
    kept: KeptItems = http.app.state.kept_items
    client = http.state.caller.client
    if not isinstance(body.input, str):
        body = body.model_copy(update={"input": kept.put_in(client, body.input)})
    dispatcher = Dispatcher.for_model(http, body.model)
    if dispatcher.served.conversation == "multi":
        check_all_found(body.input)
    if dispatcher.served.prose:
        asked = await ask_in_prose(body, dispatcher.served.chat_template)
        call: Calling | None = None if asked.form is None else asked.form.call
    else:
        messages, dispatcher.form = read_marked_fields(conversation_of(body), requested_form(body))
        asked = read_conversation(messages, dispatcher.served.conversation, "input", -1 if body.instructions else 0)
        call = None if dispatcher.form is None else dispatcher.form.call
    request = engine_request(body, asked)
    builder = ResponseBuilder(body, dispatcher.served.name, call)

    def keep(answer: Answer) -> None:
        for item in builder.answer_items(answer) if body.store is not False else ():
            kept.keep(client, item)

    if body.stream:
        return EventStream(dispatcher.batches([request]), ResponseStream(builder, keep, dispatcher.form is None))
    (answer,) = await dispatcher.answers([request])
    keep(answer)
    return JsonReply(builder.ended(answer))


async def ask_in_prose(body: ResponsesRequest, template: str) -> Asked:
    """What a model of prose with this chat template receives. Raises `HttpError`."""
    format = None if body.text is None else body.text.format
    form = await asyncio.to_thread(
        written_form, body.tools, body.tool_choice, body.parallel_tool_calls, format, template
    )
    chat = read_chat(turns_of(body), "input", body.instructions)
    messages = told_in_words(chat, "" if form is None else form.instruction, template)
    return Asked("", messages=messages, thinks=effort_of(body) != "none", form=form)


def requested_form(body: ResponsesRequest) -> AnswerForm | None:
    """The JSON form that a format or a forced function call requires; None for text.

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
    """The request to the engine."""
    budget = budget_for(effort_of(body), body.max_output_tokens, body.budget.model_dump(), asked.form)
    return asked.request(budget, sampling_for(body, None), body)


class ResponseStream:
    """What a stream sends for a response: its events, numbered from 0. keep: called with the answer.

    streams: whether the answer is sent as it becomes certain.
    """

    named = True

    def __init__(self, builder: ResponseBuilder, keep: Callable[[Answer], None], streams: bool) -> None:
        self._builder, self._numbers, self._reasoning, self._text = builder, count(), ReasoningText(), ""
        self._keep, self._streams = keep, streams
        self._begun, self._answering = False, False
        """Whether anything has been sent, and whether the reasoning has ended."""
        self._first: TokenWritten | None = None
        """The token that begins the answer. It may close a step, whose event is sent before it."""
        self._told = 0
        """Number of characters of the answer that have been sent."""
        self._items = AnswerItems(builder)
        self._in_reasoning = {"item_id": builder.reasoning_id, "output_index": 0, "content_index": 0}

    def of_event(self, index: int, event: Event) -> Iterator[dict[str, Any]]:
        """The events that are sent for an event of the engine."""
        if not self._begun:
            self._begun = True
            yield from self._beginning()
        if isinstance(event, StepJudged):
            yield self._named("reasoning_text.delta", **self._in_reasoning, delta="", step=judged_step(event))
            return
        if self._first is not None:
            first, self._first, self._answering = self._first, None, True
            yield from self._end_of_reasoning()
            yield from self._answer(first)
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
                yield from self._answer(event)
            return
        new = self._reasoning.delta(event)
        self._text += new
        self._first = event if event.answer and self._streams else None
        if new or self._first is None:
            yield self._named("reasoning_text.delta", **self._in_reasoning, delta=new, depth=event.depth)

    def _answer(self, event: TokenWritten) -> Iterator[dict[str, Any]]:
        self._told += len(event.answer)
        yield from self._tell(self._items.add(event.answer, event.depth))

    def _end_of_reasoning(self) -> Iterator[dict[str, Any]]:
        text = self._text
        yield self._named("reasoning_text.done", **self._in_reasoning, text=text)
        yield self._named("content_part.done", **self._in_reasoning, part={"type": "reasoning_text", "text": text})
        yield self._named("output_item.done", output_index=0, item=self._builder.reasoning_item(text))

    def _ending(self, answer: Answer) -> Iterator[dict[str, Any]]:
        if not self._answering:
            yield from self._end_of_reasoning()
        yield from self._tell(self._items.end(answer, self._told))
        response = self._builder.ended(answer)
        yield self._named(response["status"], response=response)

    def _tell(self, events: Iterator[NamedEvent]) -> Iterator[dict[str, Any]]:
        for kind, fields in events:
            yield self._named(kind, **fields)

    def _named(self, kind: str, **fields: object) -> dict[str, Any]:
        return {"type": f"response.{kind}", "sequence_number": next(self._numbers), **fields}


ROUTES = (ApiRoute("POST", "/v1/responses", responses, "Answer a conversation, as items", ResponsesRequest),)
