"""`POST /v1/chat/completions`: whole answers, or a stream of what is written as it comes."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from fastapi import APIRouter
from fastapi import Request as HttpRequest
from fastapi.responses import JSONResponse, Response

from tuili.engine import Answer, Answered, Request, StepJudged, TokenWritten
from tuili.serve.answers import (
    ReasoningText,
    chat_completion,
    chunk,
    finish_reason,
    judged_step,
    logprobs,
    receipt,
    refusal,
    tool_call,
    usage,
    usage_of_tokens,
)
from tuili.serve.dispatch import Dispatcher
from tuili.serve.engine_requests import budget_for, read_conversation, sampling_for, with_seeds
from tuili.serve.errors import HttpError
from tuili.serve.forms.marked_fields import read_marked_fields
from tuili.serve.forms.structured import AnswerForm, ForcedCall, form_for
from tuili.serve.schemas.formats import Text
from tuili.serve.schemas.messages import Message, ReasoningInput, without_calls
from tuili.serve.schemas.replies import ChatChunk, ChunkExtras, Delta, FunctionDelta
from tuili.serve.schemas.requests import ChatRequest
from tuili.serve.schemas.tools import forced_form
from tuili.serve.sse import sse_response
from tuili.store import Conversation

router = APIRouter()


@router.post("/v1/chat/completions", summary="Answer a conversation")
async def chat(body: ChatRequest, http: HttpRequest) -> Response:
    """One choice or several; `stream: true` sends server-sent events that end in `[DONE]`."""
    messages, form = read_marked_fields(without_calls(body.messages), requested_form(body))
    call = None if form is None else form.call
    dispatcher = Dispatcher.for_model(http, body.model, form)
    requests = engine_requests(body, messages, dispatcher.served.conversation)
    completion_id = f"chatcmpl-{uuid.uuid4().hex}"
    if body.stream:
        chunks = _chunks(completion_id, dispatcher, body, requests, call)
        if body.stream_options is not None and body.stream_options.continuous_usage_stats:
            chunks = _with_usage(chunks, dispatcher, requests[0])
        return sse_response(await dispatcher.after_first(chunks))
    answers = await dispatcher.answers(requests)
    return JSONResponse(chat_completion(completion_id, dispatcher.served.name, answers, call))


def requested_form(body: ChatRequest) -> AnswerForm | None:
    """The form of JSON that is asked for, by a format or by a function that is to be called; None for text.

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


def engine_requests(
    body: ChatRequest, messages: Sequence[Message | ReasoningInput], conversation: Conversation
) -> list[Request]:
    """What the engine is asked: one request for each choice, with seeds that count up."""
    max_tokens = body.max_tokens if body.max_completion_tokens is None else body.max_completion_tokens
    budget = budget_for(body.reasoning_effort, max_tokens, body.budget.model_dump())
    asked = read_conversation(messages, conversation)
    sampling = sampling_for(body, body.stop)
    request = Request(
        asked.prompt, budget, sampling, body.depth, body.priority, earlier=asked.earlier, ignored=asked.ignored
    )
    return with_seeds(request, body.n or 1)


async def _chunks(
    completion_id: str,
    dispatcher: Dispatcher,
    body: ChatRequest,
    requests: Sequence[Request],
    call: ForcedCall | None,
) -> AsyncGenerator[ChatChunk, None]:
    """The chunks of all choices, as they come."""
    created, model = int(time.time()), dispatcher.served.name
    answers: dict[int, Answer] = {}
    reasoning: dict[int, ReasoningText] = {}
    async with aclosing(dispatcher.events(requests)) as events:
        async for index, event in events:
            if index not in reasoning:
                reasoning[index] = ReasoningText()
                role: Delta = {"role": "assistant", "content": None if call else "", "refusal": None}
                yield chunk(completion_id, model, created, index, role)
            if isinstance(event, TokenWritten):
                text = reasoning[index].delta(event)
                delta: Delta = {"reasoning": text, "reasoning_content": text} if text else {}
                yield chunk(completion_id, model, created, index, delta, depth=event.depth, attempt=event.attempt)
            elif isinstance(event, StepJudged):
                yield chunk(completion_id, model, created, index, {}, step=judged_step(event))
            elif isinstance(event, Answered):
                answers[index] = answer = event.answer
                for content in _answer_deltas(answer, call):
                    yield chunk(completion_id, model, created, index, content, logprobs=logprobs(answer))
                end: ChunkExtras = {"finish_reason": finish_reason(answer, call), "receipt": receipt(answer)}
                yield chunk(completion_id, model, created, index, {}, **end)
    if body.stream_options is not None and body.stream_options.include_usage:
        last = chunk(completion_id, model, created, 0, {})
        yield {**last, "choices": [], "usage": usage(answers.values())}


def _answer_deltas(answer: Answer, call: ForcedCall | None) -> list[Delta]:
    """What chunks say of an answer: the answer, why there is none, or a call: first its name, then its arguments."""
    if (reason := refusal(answer)) is not None:
        return [{"content": "", "refusal": reason}]
    if call is None:
        return [{"content": answer.answer}]
    whole = tool_call(answer, call)
    begun: FunctionDelta = {"name": call.function, "arguments": ""}
    return [
        {"tool_calls": [{"index": 0, "id": whole["id"], "type": "function", "function": begun}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": answer.answer}}]},
    ]


async def _with_usage(
    chunks: AsyncGenerator[ChatChunk, None], dispatcher: Dispatcher, request: Request
) -> AsyncGenerator[ChatChunk, None]:
    """The same chunks, each with the tokens so far. All tokens count as reasoning: only the last chunk of a stream,
    which has a usage of its own, knows which ones were the answer.
    """
    prompt_tokens, written = None, 0
    async with aclosing(chunks):
        async for one in chunks:
            if "usage" in one:
                yield one
                continue
            if prompt_tokens is None:
                prompt_tokens = len((await dispatcher.served.prepare(request)).ids)
            written += any("depth" in choice for choice in one["choices"])
            yield {**one, "usage": usage_of_tokens(prompt_tokens, 0, written, written)}
