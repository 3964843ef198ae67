"""`POST /v1/responses`: one question, or a conversation, as items of reasoning and a message. Nothing is stored."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from itertools import count
from typing import Any

from fastapi import APIRouter
from fastapi import Request as HttpRequest
from fastapi.responses import JSONResponse, Response, StreamingResponse

from tuili.engine import Answer, Answered, Outcome, Request, StepJudged, TokenWritten
from tuili.serve.answers import ReasoningText, finish_reason, reasoning_text, receipt, refusal, step_json, usage
from tuili.serve.budgets import DEFAULT, budget_of
from tuili.serve.dispatch import Desk, server_sent
from tuili.serve.routes.chat import STREAM, conversation
from tuili.serve.schemas.items import MessageItem, OutputText, ReasoningItem, Refusal
from tuili.serve.schemas.items import Response as Told
from tuili.serve.schemas.requests import Message, ReasoningInput, ResponsesRequest, TextFormat, sampling
from tuili.serve.schemas.structured import form_of

routes = APIRouter()


@routes.post("/v1/responses", summary="Answer a conversation, as items")
async def responses(body: ResponsesRequest, http: HttpRequest) -> Response:
    """`stream: true` sends events named by their type, the last of which holds the whole."""
    form = form_of(None if body.text is None else body.text.format)
    desk, request, shell = Desk.of(http, body.model, form), engine_request(body), _Shell(body)
    if body.stream:
        events = await desk.begun(_events(desk, request, shell))
        return StreamingResponse(server_sent(events, named=True), **STREAM)  # type: ignore[arg-type]
    (answer,) = await desk.answers([request])
    return JSONResponse(shell.whole(desk.served.name, answer))


def engine_request(body: ResponsesRequest) -> Request:
    """What the engine is asked."""
    messages: list[Message | ReasoningInput] = []
    messages += [Message(role="user", content=body.input)] if isinstance(body.input, str) else body.input
    if body.instructions:
        messages.insert(0, Message(role="developer", content=body.instructions))
    prompt, earlier = conversation(messages, "input", -1 if body.instructions else 0)
    effort = body.reasoning.effort if body.reasoning is not None else None
    budget = budget_of(effort, body.max_output_tokens, body.budget.model_dump())
    return Request(prompt, budget, sampling(body, None), body.depth, body.priority, earlier=earlier)


class _Shell:
    """The response around the answer. Its items have the same names from the first event to the last."""

    def __init__(self, body: ResponsesRequest) -> None:
        self._body, self._created = body, time.time()
        self.name, self.reasoning, self.message = (f"{kind}_{uuid.uuid4().hex}" for kind in ("resp", "rs", "msg"))

    def begun(self, model: str) -> Told:
        """Before there is an answer."""
        body = self._body
        effort = body.reasoning.effort if body.reasoning is not None else None
        format: Any = (body.text or TextFormat()).format.model_dump(by_alias=True)
        return {
            "id": self.name,
            "object": "response",
            "created_at": self._created,
            "status": "in_progress",
            "error": None,
            "incomplete_details": None,
            "instructions": body.instructions,
            "max_output_tokens": body.max_output_tokens,
            "metadata": body.metadata or {},
            "model": model,
            "output": [],
            "parallel_tool_calls": False,
            "previous_response_id": None,
            "reasoning": {"effort": effort or DEFAULT, "summary": None},
            "store": False,
            "temperature": body.temperature or 0.0,
            "text": {"format": format},
            "tool_choice": "none",
            "tools": [],
            "top_p": body.top_p or 1.0,
            "truncation": "disabled",
            "usage": None,
            "user": body.user,
        }

    def whole(self, model: str, answer: Answer) -> Told:
        """With the answer."""
        told = usage([answer])
        cut = finish_reason(answer) == "length"
        failed = answer.receipt.outcome is Outcome.FAILED
        return {
            **self.begun(model),
            "status": "failed" if failed else "incomplete" if cut else "completed",
            "error": {"code": "server_error", "message": answer.receipt.reason} if failed else None,
            "incomplete_details": {"reason": "max_output_tokens"} if cut and not failed else None,
            "output": [self.reasoning_item(reasoning_text(answer)), self.message_item(answer)],
            "usage": {
                "input_tokens": told["prompt_tokens"],
                "input_tokens_details": {"cached_tokens": told["prompt_tokens_details"]["cached_tokens"]},
                "output_tokens": told["completion_tokens"],
                "output_tokens_details": {"reasoning_tokens": told["completion_tokens_details"]["reasoning_tokens"]},
                "total_tokens": told["total_tokens"],
            },
            "receipt": receipt(answer),
        }

    def reasoning_item(self, text: str | None) -> ReasoningItem:
        """The item of the steps; None before they are there."""
        return {
            "id": self.reasoning,
            "type": "reasoning",
            "summary": [],
            "content": [] if text is None else [{"type": "reasoning_text", "text": text}],
            "status": "in_progress" if text is None else "completed",
        }

    def message_item(self, answer: Answer | None) -> MessageItem:
        """The item of the answer."""
        cut = answer is not None and finish_reason(answer) == "length"
        return {
            "id": self.message,
            "type": "message",
            "role": "assistant",
            "status": "in_progress" if answer is None else "incomplete" if cut else "completed",
            "content": [] if answer is None else [part(answer)],
        }


def part(answer: Answer | None) -> OutputText | Refusal:
    """What a message says."""
    refused = None if answer is None else refusal(answer)
    if refused is not None:
        return {"type": "refusal", "refusal": refused}
    return {"type": "output_text", "text": answer.answer if answer else "", "annotations": [], "logprobs": []}


async def _events(desk: Desk, request: Request, shell: _Shell) -> AsyncGenerator[dict[str, Any], None]:
    """The events of one response, numbered."""
    numbers, model, reasoning, text = count(), desk.served.name, ReasoningText(), ""

    def told(kind: str, **values: object) -> dict[str, Any]:
        return {"type": f"response.{kind}", "sequence_number": next(numbers), **values}

    steps = {"item_id": shell.reasoning, "output_index": 0, "content_index": 0}
    says = {"item_id": shell.message, "output_index": 1, "content_index": 0}
    async with aclosing(desk.events([request])) as events:
        async for _, event in events:
            if not text and reasoning.attempt == 0:
                yield told("created", response=shell.begun(model))
                yield told("in_progress", response=shell.begun(model))
                yield told("output_item.added", output_index=0, item=shell.reasoning_item(None))
                yield told("content_part.added", **steps, part={"type": "reasoning_text", "text": ""})
            if isinstance(event, TokenWritten):
                new = reasoning.of(event)
                text += new
                yield told("reasoning_text.delta", **steps, delta=new, depth=event.depth)
            elif isinstance(event, StepJudged):
                yield told("reasoning_text.delta", **steps, delta="", step=step_json(event))
            elif isinstance(event, Answered):
                answer = event.answer
                yield told("reasoning_text.done", **steps, text=text)
                yield told("content_part.done", **steps, part={"type": "reasoning_text", "text": text})
                yield told("output_item.done", output_index=0, item=shell.reasoning_item(text))
                yield told("output_item.added", output_index=1, item=shell.message_item(None))
                refused = refusal(answer)
                if refused is None:
                    yield told("content_part.added", **says, part=part(None))
                    yield told("output_text.delta", **says, delta=answer.answer, logprobs=[])
                    yield told("output_text.done", **says, text=answer.answer, logprobs=[])
                else:
                    yield told("content_part.added", **says, part={"type": "refusal", "refusal": ""})
                    yield told("refusal.delta", **says, delta=refused)
                    yield told("refusal.done", **says, refusal=refused)
                yield told("content_part.done", **says, part=part(answer))
                yield told("output_item.done", output_index=1, item=shell.message_item(answer))
                whole = shell.whole(model, answer)
                yield told(whole["status"], response=whole)
