"""`POST /v1/chat/completions`: whole answers, or a stream of what is written as it comes."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from fastapi import APIRouter
from fastapi import Request as HttpRequest
from fastapi.responses import JSONResponse, Response, StreamingResponse

from tuili.engine import Answer, Answered, Request, StepJudged, TokenWritten
from tuili.serve.answers import (
    ReasoningText,
    chat_completion,
    chunk,
    finish_reason,
    logprobs,
    receipt,
    refusal,
    step_json,
    tokens_used,
    usage,
)
from tuili.serve.budgets import budget_of
from tuili.serve.dispatch import Desk, server_sent
from tuili.serve.errors import HttpError
from tuili.serve.schemas.replies import ChatChunk, ChunkMore, Delta
from tuili.serve.schemas.requests import ChatRequest, Message, ReasoningInput, sampling, seeds
from tuili.serve.schemas.structured import form_of

routes = APIRouter()
STREAM = {"media_type": "text/event-stream", "headers": {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}}


@routes.post("/v1/chat/completions", summary="Answer a conversation")
async def chat(body: ChatRequest, http: HttpRequest) -> Response:
    """One choice or several; `stream: true` sends server-sent events that end in `[DONE]`."""
    desk, requests = Desk.of(http, body.model, form_of(body.response_format)), engine_requests(body)
    name = f"chatcmpl-{uuid.uuid4().hex}"
    if body.stream:
        chunks = _chunks(name, desk, body, requests)
        if body.stream_options is not None and body.stream_options.continuous_usage_stats:
            chunks = _with_usage(chunks, desk, requests[0])
        return StreamingResponse(server_sent(await desk.begun(chunks)), **STREAM)  # type: ignore[arg-type]
    return JSONResponse(chat_completion(name, desk.served.name, await desk.answers(requests)))


def engine_requests(body: ChatRequest) -> list[Request]:
    """What the engine is asked: one request for each choice, with seeds that count up."""
    tokens = body.max_tokens if body.max_completion_tokens is None else body.max_completion_tokens
    budget = budget_of(body.reasoning_effort, tokens, body.budget.model_dump())
    prompt, earlier = conversation(body.messages)
    drawn = sampling(body, body.stop)
    one = Request(prompt, budget, drawn, body.depth, body.priority, earlier=earlier)
    return seeds(one, body.n or 1)


def conversation(
    messages: Sequence[Message | ReasoningInput], field: str = "messages", first: int = 0
) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The last question, and the questions and answers before it. What system and developer say stands before the
    question that follows, on lines of its own. `field` is where a request has the messages, `first` the
    number of the first one there.

    Raises `HttpError` for another order than question, answer, question.
    """
    earlier: list[tuple[str, str]] = []
    question: list[str] = []
    asked = False
    for number, message in enumerate(messages, first):
        if isinstance(message, ReasoningInput):
            continue
        if message.role == "assistant":
            if not asked:
                raise HttpError(400, "an answer without a question before it", "invalid_value", f"{field}.{number}")
            earlier.append(("\n".join(question), message.text))
            question, asked = [], False
        elif asked and message.role != "user":
            raise HttpError(400, "instructions stand before the question", "invalid_value", f"{field}.{number}")
        else:
            question.append(message.text)
            asked = asked or message.role == "user"
    return "\n".join(question), tuple(earlier)


async def _chunks(
    name: str, desk: Desk, body: ChatRequest, requests: Sequence[Request]
) -> AsyncGenerator[ChatChunk, None]:
    """The chunks of all choices, as they come."""
    created, model = int(time.time()), desk.served.name
    answers: dict[int, Answer] = {}
    reasoning: dict[int, ReasoningText] = {}
    async with aclosing(desk.events(requests)) as events:
        async for index, event in events:
            if index not in reasoning:
                reasoning[index] = ReasoningText()
                yield chunk(name, model, created, index, {"role": "assistant", "content": "", "refusal": None})
            if isinstance(event, TokenWritten):
                text = reasoning[index].of(event)
                delta: Delta = {"reasoning": text, "reasoning_content": text} if text else {}
                yield chunk(name, model, created, index, delta, depth=event.depth, attempt=event.attempt)
            elif isinstance(event, StepJudged):
                yield chunk(name, model, created, index, {}, step=step_json(event))
            elif isinstance(event, Answered):
                answers[index] = answer = event.answer
                refused = refusal(answer)
                said: Delta = {"content": answer.answer} if refused is None else {"refusal": refused}
                yield chunk(name, model, created, index, said, logprobs=logprobs(answer))
                ended: ChunkMore = {"finish_reason": finish_reason(answer), "receipt": receipt(answer)}
                yield chunk(name, model, created, index, {}, **ended)
    if body.stream_options is not None and body.stream_options.include_usage:
        yield {**chunk(name, model, created, 0, {}), "choices": [], "usage": usage(answers.values())}


async def _with_usage(
    chunks: AsyncGenerator[ChatChunk, None], desk: Desk, request: Request
) -> AsyncGenerator[ChatChunk, None]:
    """The same chunks, each with the tokens so far, all of which count as reasoning until the last one tells."""
    prompt, written = None, 0
    async with aclosing(chunks):
        async for own in chunks:
            if "usage" in own:
                yield own
                continue
            if prompt is None:
                prompt = len((await asyncio.to_thread(desk.served.engine.prepare, request)).ids)
            written += any("depth" in choice for choice in own["choices"])
            yield {**own, "usage": tokens_used(prompt, 0, written, written)}
