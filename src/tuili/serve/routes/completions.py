"""`POST /v1/completions`: each prompt is a question, and the text of a choice is the answer without its steps."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from fastapi import APIRouter
from fastapi import Request as HttpRequest
from fastapi.responses import JSONResponse, Response

from tuili.engine import Answer, Answered, Request
from tuili.serve.answers import finish_reason, receipt, usage
from tuili.serve.dispatch import Dispatcher
from tuili.serve.engine_requests import budget_for, sampling_for, with_seeds
from tuili.serve.schemas.replies import TextChoice, TextCompletion
from tuili.serve.schemas.requests import CompletionRequest, StreamOptions
from tuili.serve.sse import sse_response

router = APIRouter()


@router.post("/v1/completions", summary="Answer one prompt or several")
async def completions(body: CompletionRequest, http: HttpRequest) -> Response:
    """`stream: true` sends each answer when it is there: before that nothing is certain."""
    dispatcher = Dispatcher.for_model(http, body.model)
    requests = engine_requests(body)
    completion_id, created = f"cmpl-{uuid.uuid4().hex}", int(time.time())
    if body.stream:
        chunks = _chunks(completion_id, created, dispatcher, body, requests)
        return sse_response(await dispatcher.after_first(chunks))
    answers = await dispatcher.answers(requests)
    choices = [_choice(index, answer) for index, answer in enumerate(answers)]
    return JSONResponse({**_completion(completion_id, created, dispatcher, choices), "usage": usage(answers)})


def engine_requests(body: CompletionRequest) -> list[Request]:
    """What the engine is asked: for each prompt one request for each choice, with seeds that count up."""
    budget = budget_for(None, body.max_tokens, body.budget.model_dump())
    prompts = [body.prompt] if isinstance(body.prompt, str) else body.prompt
    sampling = sampling_for(body, body.stop)
    by_prompt = (Request(prompt, budget, sampling, body.depth, body.priority) for prompt in prompts)
    return [request for first in by_prompt for request in with_seeds(first, body.n or 1)]


async def _chunks(
    completion_id: str, created: int, dispatcher: Dispatcher, body: CompletionRequest, requests: Sequence[Request]
) -> AsyncGenerator[TextCompletion, None]:
    """A chunk for each answer, as it comes."""
    answers: list[Answer] = []
    options = body.stream_options or StreamOptions()
    async with aclosing(dispatcher.events(requests)) as events:
        async for index, event in events:
            if isinstance(event, Answered):
                answers.append(event.answer)
                one = _completion(completion_id, created, dispatcher, [_choice(index, event.answer)])
                yield {**one, "usage": usage(answers)} if options.continuous_usage_stats else one
    if options.include_usage:
        yield {**_completion(completion_id, created, dispatcher, []), "usage": usage(answers)}


def _completion(completion_id: str, created: int, dispatcher: Dispatcher, choices: list[TextChoice]) -> TextCompletion:
    return {
        "id": completion_id,
        "object": "text_completion",
        "created": created,
        "model": dispatcher.served.name,
        "choices": choices,
    }


def _choice(index: int, answer: Answer) -> TextChoice:
    return {
        "index": index,
        "text": answer.answer,
        "logprobs": None,
        "finish_reason": finish_reason(answer),
        "receipt": receipt(answer),
    }
