"""`POST /v1/chat/completions`: whole answers, or a stream of text as it is written."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Unpack

from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from tuili.engine import Answer, Answered, Event, Request, StepJudged, TokenWritten
from tuili.serve.answers import (
    ReasoningText,
    chat_completion,
    chunk,
    finish_reason,
    judged_step,
    logprobs,
    receipt,
    refusal,
    said,
    usage,
    usage_of_tokens,
)
from tuili.serve.chats import read_chat, told_in_words
from tuili.serve.dispatch import Dispatcher
from tuili.serve.engine_requests import Asked, budget_for, read_conversation, sampling_for, with_seeds
from tuili.serve.errors import HttpError
from tuili.serve.forms.calls import (
    ArgumentsWritten,
    Call,
    CallBegun,
    Calling,
    CallReader,
    ChosenCalls,
    Piece,
    TextWritten,
)
from tuili.serve.forms.marked_answers import marked_grammar
from tuili.serve.forms.marked_fields import read_marked_fields
from tuili.serve.forms.structured import AnswerForm, form_for
from tuili.serve.forms.written_forms import WrittenForm, written_form
from tuili.serve.ids import new_id
from tuili.serve.replies import JsonReply
from tuili.serve.routes.api_route import ApiRoute
from tuili.serve.schemas.formats import JsonObject, Text
from tuili.serve.schemas.messages import without_calls
from tuili.serve.schemas.replies import ChatChunk, ChunkExtras, Delta, FunctionDelta
from tuili.serve.schemas.requests import ChatRequest, StreamOptions
from tuili.serve.schemas.tools import forced_form
from tuili.serve.streams import EventStream


async def chat(body: ChatRequest, http: HttpRequest) -> Response:
    """One choice or several; `stream: true` sends server-sent events that end in `[DONE]`."""
    dispatcher = Dispatcher.for_model(http, body.model)
    if dispatcher.served.prose:
        asked = await ask_in_prose(body, dispatcher.served.chat_template)
        call: Calling | None = None if asked.form is None else asked.form.call
    else:
        messages, dispatcher.form = read_marked_fields(without_calls(body.messages), requested_form(body))
        asked = read_conversation(messages, dispatcher.served.conversation)
        call = None if dispatcher.form is None else dispatcher.form.call
    requests = engine_requests(body, asked)
    completion_id = f"chatcmpl-{new_id()}"
    if body.stream:
        told = ChatStream(completion_id, dispatcher, body.stream_options, call)
        return EventStream(dispatcher.batches(requests), told)
    answers = await dispatcher.answers(requests)
    return JsonReply(chat_completion(completion_id, dispatcher.served.name, answers, call))


async def ask_in_prose(body: ChatRequest, template: str) -> Asked:
    """What a model of prose with this chat template receives. Raises `HttpError`."""
    wanted = body.tools, body.tool_choice, body.parallel_tool_calls, body.response_format
    form = await asyncio.to_thread(written_form, *wanted, template)
    if not body.tools and isinstance(body.response_format, Text | JsonObject | None):
        fields = await asyncio.to_thread(marked_grammar, body.messages)
        form = form if fields is None else WrittenForm(fields)
    messages = told_in_words(read_chat(body.messages), "" if form is None else form.instruction, template)
    return Asked("", messages=messages, thinks=body.reasoning_effort != "none", form=form)


def requested_form(body: ChatRequest) -> AnswerForm | None:
    """The JSON form that a format or a forced function call requires; None for text.

    Raises `HttpError`.
    """
    form = forced_form(body.tools, body.tool_choice)
    if form is None:
        return form_for(body.response_format)
    if not isinstance(body.response_format, Text | None):
        raise HttpError(400, "response_format: a function is called instead", "invalid_value", "response_format")
    if body.logprobs:
        raise HttpError(400, "logprobs: they are of answers as they are written", "invalid_value", "logprobs")
    return form


def engine_requests(body: ChatRequest, asked: Asked) -> list[Request]:
    """The requests to the engine: one per choice, with seeds that count up."""
    max_tokens = body.max_tokens if body.max_completion_tokens is None else body.max_completion_tokens
    budget = budget_for(body.reasoning_effort, max_tokens, body.budget.model_dump(), asked.form)
    return with_seeds(asked.request(budget, sampling_for(body, body.stop), body), body.n or 1)


class ChatStream:
    """What a stream sends for a chat: its chunks. options: which of them report the usage."""

    named = False

    def __init__(
        self, completion_id: str, dispatcher: Dispatcher, options: StreamOptions | None, call: Calling | None
    ) -> None:
        self._id, self._dispatcher, self._created, self._call = completion_id, dispatcher, int(time.time()), call
        options = options or StreamOptions()
        self._tells_usage, self._tells_usage_so_far = options.include_usage, options.continuous_usage_stats
        self._answers: dict[int, Answer] = {}
        self._reasoning: dict[int, ReasoningText] = {}
        self._told: dict[int, ToldAnswer] = {}
        self._written = 0

    def of_event(self, index: int, event: Event) -> Iterator[ChatChunk]:
        """The chunks for an event of the choice with this index."""
        reasoning = self._reasoning.get(index)
        if reasoning is None:
            reasoning = self._reasoning[index] = ReasoningText()
            self._told[index] = ToldAnswer(self._call)
            yield self._chunk(index, {"role": "assistant", "content": None if self._call else "", "refusal": None})
        if isinstance(event, TokenWritten):
            self._written += 1
            text = reasoning.delta(event)
            delta: Delta = {"reasoning": text, "reasoning_content": text} if text else {}
            answer = event.answer if self._dispatcher.form is None else ""
            first, *others = self._told[index].add(answer) or [{}]
            yield self._chunk(index, delta | first, depth=event.depth, attempt=event.attempt)
            for delta in others:
                yield self._chunk(index, delta)
        elif isinstance(event, StepJudged):
            yield self._chunk(index, {}, step=judged_step(event))
        elif isinstance(event, Answered):
            self._answers[index] = event.answer
            for content in self._told[index].end(event.answer):
                yield self._chunk(index, content, logprobs=logprobs(event.answer))
            reason = finish_reason(event.answer, self._call)
            yield self._chunk(index, {}, finish_reason=reason, receipt=receipt(event.answer))

    def at_end(self) -> Iterator[ChatChunk]:
        """The chunk with the usage, if requested."""
        if self._tells_usage:
            last = chunk(self._id, self._dispatcher.served.name, self._created, 0, {})
            yield {**last, "choices": [], "usage": usage(self._answers.values())}

    def _chunk(self, index: int, delta: Delta, **extras: Unpack[ChunkExtras]) -> ChatChunk:
        """A chunk, with the tokens so far if requested. All of them count as reasoning: which ones were the answer is
        known only to the last chunk of a stream, which has its own usage.
        """
        one = chunk(self._id, self._dispatcher.served.name, self._created, index, delta, **extras)
        if self._tells_usage_so_far:
            one["usage"] = usage_of_tokens(self._dispatcher.prompt_tokens, 0, self._written, self._written)
        return one


class ToldAnswer:
    """What chunks have sent of an answer: its text, and function calls."""

    def __init__(self, call: Calling | None) -> None:
        self._call, self._told, self._calls = call, 0, 0
        """`_told`: number of characters of the answer that `add` has received."""
        self._reader: CallReader | None = call.reader() if isinstance(call, ChosenCalls) else None

    def add(self, text: str) -> list[Delta]:
        """What a further piece of the answer adds."""
        self._told += len(text)
        if self._reader is not None:
            return list(map(self._delta, self._reader.add(text)))
        return [{"content": text}] if text else []

    def end(self, answer: Answer) -> list[Delta]:
        """The part of a whole answer that has not been sent, or why there is no answer."""
        if (reason := refusal(answer)) is not None:
            return [{"content": "", "refusal": reason}]
        if self._reader is not None:
            return [*self.add(answer.answer[self._told :]), *map(self._delta, self._reader.end())]
        content, calls = said(answer, self._call)
        if not calls:
            return [{"content": (content or "")[self._told :]}]
        return [delta for call in calls for delta in self._whole(call)]

    def _whole(self, call: Call) -> list[Delta]:
        return [self._delta(CallBegun(call.function)), self._delta(ArgumentsWritten(call.arguments))]

    def _delta(self, piece: Piece) -> Delta:
        if isinstance(piece, TextWritten):
            return {"content": piece.text}
        if isinstance(piece, CallBegun):
            self._calls += 1
            begun: FunctionDelta = {"name": piece.function, "arguments": ""}
            call_id = f"call_{new_id()}"
            return {"tool_calls": [{"index": self._calls - 1, "id": call_id, "type": "function", "function": begun}]}
        return {"tool_calls": [{"index": self._calls - 1, "function": {"arguments": piece.text}}]}


ROUTES = (ApiRoute("POST", "/v1/chat/completions", chat, "Answer a conversation", ChatRequest),)
