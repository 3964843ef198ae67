"""`POST /v1/responses`: answers a question or a conversation with an item of reasoning and a message. Nothing is
stored.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from itertools import count
from typing import Any

from fastapi import APIRouter
from fastapi import Request as HttpRequest
from fastapi.responses import JSONResponse, Response

from tuili.engine import Answer, Answered, Outcome, Request, StepJudged, TokenWritten
from tuili.serve.answers import ReasoningText, finish_reason, judged_step, reasoning_text, receipt, refusal, usage
from tuili.serve.dispatch import Dispatcher
from tuili.serve.engine_requests import DEFAULT_EFFORT, budget_for, read_conversation, sampling_for
from tuili.serve.marked_fields import read_marked_fields
from tuili.serve.schemas.fields import Effort
from tuili.serve.schemas.formats import TextFormat
from tuili.serve.schemas.items import MessageItem, OutputText, ReasoningItem, Refusal, ResponseReply
from tuili.serve.schemas.messages import Message, ReasoningInput
from tuili.serve.schemas.requests import ResponsesRequest
from tuili.serve.schemas.structured import form_for
from tuili.serve.sse import sse_response
from tuili.store import Conversation

router = APIRouter()


@router.post("/v1/responses", summary="Answer a conversation, as items")
async def responses(body: ResponsesRequest, http: HttpRequest) -> Response:
    """`stream: true` sends events named by their type, the last of which holds the whole."""
    asked_form = form_for(None if body.text is None else body.text.format)
    messages, form = read_marked_fields(_messages(body), asked_form)
    dispatcher = Dispatcher.for_model(http, body.model, form)
    request = engine_request(body, messages, dispatcher.served.conversation)
    builder = _ResponseBuilder(body, dispatcher.served.name)
    if body.stream:
        return sse_response(await dispatcher.after_first(_events(dispatcher, request, builder)), named=True)
    (answer,) = await dispatcher.answers([request])
    return JSONResponse(builder.ended(answer))


def _messages(body: ResponsesRequest) -> list[Message | ReasoningInput]:
    """The instructions and the input, as messages."""
    messages: list[Message | ReasoningInput] = []
    messages += [Message(role="user", content=body.input)] if isinstance(body.input, str) else body.input
    if body.instructions:
        messages.insert(0, Message(role="developer", content=body.instructions))
    return messages


def engine_request(
    body: ResponsesRequest, messages: Sequence[Message | ReasoningInput], conversation: Conversation
) -> Request:
    """What the engine is asked."""
    asked = read_conversation(messages, conversation, "input", -1 if body.instructions else 0)
    budget = budget_for(_effort(body), body.max_output_tokens, body.budget.model_dump())
    sampling = sampling_for(body, None)
    return Request(
        asked.prompt, budget, sampling, body.depth, body.priority, earlier=asked.earlier, ignored=asked.ignored
    )


def _effort(body: ResponsesRequest) -> Effort | None:
    return body.reasoning.effort if body.reasoning is not None else None


class _ResponseBuilder:
    """Builds a response and its items, whose ids stay the same from the first event to the last."""

    def __init__(self, body: ResponsesRequest, model: str) -> None:
        self._body, self._model, self._created = body, model, time.time()
        self.response_id, self.reasoning_id, self.message_id = (
            f"{prefix}_{uuid.uuid4().hex}" for prefix in ("resp", "rs", "msg")
        )

    def in_progress(self) -> ResponseReply:
        """The response before there is an answer."""
        body = self._body
        format: Any = (body.text or TextFormat()).format.model_dump(by_alias=True)
        return {
            "id": self.response_id,
            "object": "response",
            "created_at": self._created,
            "status": "in_progress",
            "error": None,
            "incomplete_details": None,
            "instructions": body.instructions,
            "max_output_tokens": body.max_output_tokens,
            "metadata": body.metadata or {},
            "model": self._model,
            "output": [],
            "parallel_tool_calls": False,
            "previous_response_id": None,
            "reasoning": {"effort": _effort(body) or DEFAULT_EFFORT, "summary": None},
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

    def ended(self, answer: Answer) -> ResponseReply:
        """The response with its answer."""
        tokens = usage([answer])
        incomplete = finish_reason(answer) == "length"
        failed = answer.receipt.outcome is Outcome.FAILED
        return {
            **self.in_progress(),
            "status": "failed" if failed else "incomplete" if incomplete else "completed",
            "error": {"code": "server_error", "message": answer.receipt.reason} if failed else None,
            "incomplete_details": {"reason": "max_output_tokens"} if incomplete and not failed else None,
            "output": [self.reasoning_item(reasoning_text(answer)), self.message_item(answer)],
            "usage": {
                "input_tokens": tokens["prompt_tokens"],
                "input_tokens_details": {"cached_tokens": tokens["prompt_tokens_details"]["cached_tokens"]},
                "output_tokens": tokens["completion_tokens"],
                "output_tokens_details": {"reasoning_tokens": tokens["completion_tokens_details"]["reasoning_tokens"]},
                "total_tokens": tokens["total_tokens"],
            },
            "receipt": receipt(answer),
        }

    def reasoning_item(self, text: str | None) -> ReasoningItem:
        """The item with the text of the steps; None before they are complete."""
        return {
            "id": self.reasoning_id,
            "type": "reasoning",
            "summary": [],
            "content": [] if text is None else [{"type": "reasoning_text", "text": text}],
            "status": "in_progress" if text is None else "completed",
        }

    def message_item(self, answer: Answer | None) -> MessageItem:
        """The item with the answer; None before it is there."""
        incomplete = answer is not None and finish_reason(answer) == "length"
        return {
            "id": self.message_id,
            "type": "message",
            "role": "assistant",
            "status": "in_progress" if answer is None else "incomplete" if incomplete else "completed",
            "content": [] if answer is None else [_message_part(answer)],
        }


def _message_part(answer: Answer | None) -> OutputText | Refusal:
    """The content of a message: the answer, or why there is none. None stands for an answer that is still empty."""
    reason = None if answer is None else refusal(answer)
    if reason is not None:
        return {"type": "refusal", "refusal": reason}
    return {"type": "output_text", "text": answer.answer if answer else "", "annotations": [], "logprobs": []}


async def _events(
    dispatcher: Dispatcher, request: Request, builder: _ResponseBuilder
) -> AsyncGenerator[dict[str, Any], None]:
    """The events of one response, numbered from 0."""
    numbers, reasoning, text = count(), ReasoningText(), ""

    def named(name: str, **fields: object) -> dict[str, Any]:
        return {"type": f"response.{name}", "sequence_number": next(numbers), **fields}

    in_reasoning = {"item_id": builder.reasoning_id, "output_index": 0, "content_index": 0}
    in_message = {"item_id": builder.message_id, "output_index": 1, "content_index": 0}
    async with aclosing(dispatcher.events([request])) as events:
        async for _, event in events:
            if not text and reasoning.attempt == 0:
                yield named("created", response=builder.in_progress())
                yield named("in_progress", response=builder.in_progress())
                yield named("output_item.added", output_index=0, item=builder.reasoning_item(None))
                yield named("content_part.added", **in_reasoning, part={"type": "reasoning_text", "text": ""})
            if isinstance(event, TokenWritten):
                new = reasoning.delta(event)
                text += new
                yield named("reasoning_text.delta", **in_reasoning, delta=new, depth=event.depth)
            elif isinstance(event, StepJudged):
                yield named("reasoning_text.delta", **in_reasoning, delta="", step=judged_step(event))
            elif isinstance(event, Answered):
                answer = event.answer
                yield named("reasoning_text.done", **in_reasoning, text=text)
                yield named("content_part.done", **in_reasoning, part={"type": "reasoning_text", "text": text})
                yield named("output_item.done", output_index=0, item=builder.reasoning_item(text))
                yield named("output_item.added", output_index=1, item=builder.message_item(None))
                reason = refusal(answer)
                if reason is None:
                    yield named("content_part.added", **in_message, part=_message_part(None))
                    yield named("output_text.delta", **in_message, delta=answer.answer, logprobs=[])
                    yield named("output_text.done", **in_message, text=answer.answer, logprobs=[])
                else:
                    yield named("content_part.added", **in_message, part={"type": "refusal", "refusal": ""})
                    yield named("refusal.delta", **in_message, delta=reason)
                    yield named("refusal.done", **in_message, refusal=reason)
                yield named("content_part.done", **in_message, part=_message_part(answer))
                yield named("output_item.done", output_index=1, item=builder.message_item(answer))
                response = builder.ended(answer)
                yield named(response["status"], response=response)
