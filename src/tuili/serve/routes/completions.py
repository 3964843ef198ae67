"""`POST /v1/completions`: each prompt is a question; the text is the answer without its steps."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from fastapi import APIRouter
from fastapi import Request as HttpRequest
from fastapi.responses import JSONResponse, Response, StreamingResponse

from tuili.engine import Answer, Answered, Request
from tuili.serve.answers import finish_reason, receipt, usage
from tuili.serve.budgets import budget_of
from tuili.serve.dispatch import Desk, server_sent
from tuili.serve.routes.chat import STREAM
from tuili.serve.schemas.replies import TextChoice, TextCompletion
from tuili.serve.schemas.requests import CompletionRequest, StreamOptions, sampling, seeds

routes = APIRouter()


@routes.post("/v1/completions", summary="Answer one prompt or several")
async def completions(body: CompletionRequest, http: HttpRequest) -> Response:
    """`stream: true` sends each answer when it is there: before that nothing is certain."""
    desk = Desk.of(http, body.model)
    budget = budget_of(None, body.max_tokens, body.budget.model_dump())
    prompts = [body.prompt] if isinstance(body.prompt, str) else body.prompt
    drawn = sampling(body, body.stop)
    one = (Request(prompt, budget, drawn, body.depth, body.priority) for prompt in prompts)
    requests = [own for request in one for own in seeds(request, body.n or 1)]
    name, created = f"cmpl-{uuid.uuid4().hex}", int(time.time())
    if body.stream:
        return StreamingResponse(server_sent(await desk.begun(_chunks(name, created, desk, body, requests))), **STREAM)  # type: ignore[arg-type]
    answers = await desk.answers(requests)
    choices = [_choice(index, answer) for index, answer in enumerate(answers)]
    return JSONResponse({**_text(name, created, desk, choices), "usage": usage(answers)})


async def _chunks(
    name: str, created: int, desk: Desk, body: CompletionRequest, requests: Sequence[Request]
) -> AsyncGenerator[TextCompletion, None]:
    answers: list[Answer] = []
    options = body.stream_options or StreamOptions()
    async with aclosing(desk.events(requests)) as events:
        async for index, event in events:
            if isinstance(event, Answered):
                answers.append(event.answer)
                own = _text(name, created, desk, [_choice(index, event.answer)])
                yield {**own, "usage": usage(answers)} if options.continuous_usage_stats else own
    if options.include_usage:
        yield {**_text(name, created, desk, []), "usage": usage(answers)}


def _text(name: str, created: int, desk: Desk, choices: list[TextChoice]) -> TextCompletion:
    model = desk.served.name
    return {"id": name, "object": "text_completion", "created": created, "model": model, "choices": choices}


def _choice(index: int, answer: Answer) -> TextChoice:
    return {
        "index": index,
        "text": answer.answer,
        "logprobs": None,
        "finish_reason": finish_reason(answer),
        "receipt": receipt(answer),
    }
