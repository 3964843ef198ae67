"""`POST /v1/completions`: each prompt is a question, and the text of a choice is the answer without its steps; with
`echo`, the prompt and the answer.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import replace

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
from tuili.serve.text_logprobs import text_logprobs

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
    choices = [_choice(index, answer, body) for index, answer in enumerate(answers)]
    return JSONResponse({**_completion(completion_id, created, dispatcher, choices), "usage": usage(answers)})


def engine_requests(body: CompletionRequest) -> list[Request]:
    """What the engine is asked: for each prompt one request for each choice, with seeds that count up."""
    budget = budget_for(None, 1 if body.max_tokens == 0 else body.max_tokens, body.budget.model_dump())
    sampling = sampling_for(body, body.stop)
    asked = Request("", budget, sampling, body.depth, body.priority, writes=body.max_tokens != 0)
    return [one for prompt in _prompts(body) for one in with_seeds(_with_prompt(asked, prompt), body.n or 1)]


def _prompts(body: CompletionRequest) -> Iterator[str | list[int]]:
    """The prompts, each as text or as token ids. One prompt as token ids looks like a list of prompts."""
    if isinstance(body.prompt, str):
        yield body.prompt
        return
    ids = [token for token in body.prompt if isinstance(token, int)]
    if ids:
        yield ids
    else:
        yield from (prompt for prompt in body.prompt if not isinstance(prompt, int))


def _with_prompt(request: Request, prompt: str | list[int]) -> Request:
    return replace(request, prompt=prompt) if isinstance(prompt, str) else replace(request, prompt_ids=tuple(prompt))


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
                one = _completion(completion_id, created, dispatcher, [_choice(index, event.answer, body)])
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


def _choice(index: int, answer: Answer, body: CompletionRequest) -> TextChoice:
    return {
        "index": index,
        "text": answer.prompt + answer.answer if body.echo else answer.answer,
        "logprobs": None if body.logprobs is None else text_logprobs(answer, bool(body.echo)),
        "finish_reason": finish_reason(answer),
        "receipt": receipt(answer),
    }
