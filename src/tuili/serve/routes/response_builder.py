"""Builds the reply of `POST /v1/responses`: the response with its items, before and after the answer."""

from __future__ import annotations

import time
from typing import Any

from tuili.engine import Answer, Outcome
from tuili.serve.answers import finish_reason, reasoning_text, receipt, refusal, said, usage
from tuili.serve.efforts import Effort
from tuili.serve.engine_requests import DEFAULT_EFFORT
from tuili.serve.forms.calls import Call, Calling, ChosenCalls
from tuili.serve.ids import new_id
from tuili.serve.schemas.formats import TextFormat
from tuili.serve.schemas.items import (
    FunctionCallItem,
    MessageItem,
    MessagePart,
    OutputText,
    Progress,
    ReasoningItem,
    ResponseReply,
    ToolReply,
)
from tuili.serve.schemas.requests import ResponsesRequest
from tuili.serve.schemas.tools import ItemTool


class ResponseBuilder:
    """Builds a response and its items, whose ids stay the same from the first event to the last."""

    def __init__(self, body: ResponsesRequest, model: str, call: Calling | None) -> None:
        self._body, self._model, self._created, self.call = body, model, int(time.time()), call
        self.response_id, self.reasoning_id, self.message_id = (
            f"{prefix}_{new_id()}" for prefix in ("resp", "rs", "msg")
        )
        self._call_ids: list[tuple[str, str]] = []
        """The ids of the items with calls, and of the calls."""

    def in_progress(self) -> ResponseReply:
        """The response before there is an answer."""
        body = self._body
        text = body.text or TextFormat()
        format: Any = text.format.model_dump(by_alias=True)
        if "strict" in format:
            format["strict"] = bool(format["strict"])
        chooses = isinstance(self.call, ChosenCalls)
        choice = ("auto" if chooses else "none") if body.tool_choice is None else body.tool_choice
        return {
            "id": self.response_id,
            "object": "response",
            "created_at": self._created,
            "completed_at": None,
            "status": "in_progress",
            "background": False,
            "conversation": None,
            "error": None,
            "frequency_penalty": 0.0,
            "incomplete_details": None,
            "instructions": body.instructions,
            "max_output_tokens": body.max_output_tokens,
            "max_tool_calls": body.max_tool_calls,
            "metadata": body.metadata or {},
            "model": self._model,
            "output": [],
            "parallel_tool_calls": chooses and body.parallel_tool_calls is not False,
            "presence_penalty": 0.0,
            "previous_response_id": None,
            "prompt_cache_key": body.prompt_cache_key,
            "reasoning": {"effort": effort_of(body) or DEFAULT_EFFORT, "summary": None},
            "safety_identifier": body.safety_identifier,
            "service_tier": "default",
            "store": False,
            "temperature": body.temperature or 0.0,
            "text": {"format": format, "verbosity": "medium"},
            "tool_choice": choice if isinstance(choice, str) else {"type": "function", "name": choice.name},
            "tools": [_offered(tool) for tool in body.tools or ()],
            "top_logprobs": 0,
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
        completed = not failed and not incomplete
        return {
            **self.in_progress(),
            "completed_at": int(time.time()) if completed else None,
            "status": "failed" if failed else "incomplete" if incomplete else "completed",
            "error": {"code": "server_error", "message": answer.receipt.reason} if failed else None,
            "incomplete_details": {"reason": "max_output_tokens"} if incomplete and not failed else None,
            "output": [self.reasoning_item(reasoning_text(answer)), *self.answer_items(answer)],
            "usage": {
                "input_tokens": tokens["prompt_tokens"],
                "input_tokens_details": {
                    "cached_tokens": tokens["prompt_tokens_details"]["cached_tokens"],
                    "cache_write_tokens": 0,
                },
                "output_tokens": tokens["completion_tokens"],
                "output_tokens_details": {"reasoning_tokens": tokens["completion_tokens_details"]["reasoning_tokens"]},
                "total_tokens": tokens["total_tokens"],
            },
            "receipt": receipt(answer),
        }

    def reasoning_item(self, text: str | None) -> ReasoningItem:
        """The item with the text of the steps; `text` is None before they are complete."""
        return {
            "id": self.reasoning_id,
            "type": "reasoning",
            "summary": [],
            "content": [] if text is None else [{"type": "reasoning_text", "text": text}],
            "status": "in_progress" if text is None else "completed",
        }

    def answer_items(self, answer: Answer) -> list[MessageItem | FunctionCallItem]:
        """The items with the answer: a message, function calls, or both."""
        last: Progress = "incomplete" if finish_reason(answer) == "length" else "completed"
        if (reason := refusal(answer)) is not None:
            return [self._message(last, [{"type": "refusal", "refusal": reason}])]
        content, calls = said(answer, self.call)
        items: list[MessageItem | FunctionCallItem] = []
        if content is not None:
            items.append(self.message_item(content, "completed" if calls else last))
        for number, call in enumerate(calls, 1):
            items.append(self.call_item(number - 1, call, last if number == len(calls) else "completed"))
        return items

    def call_item(self, number: int, call: Call, status: Progress) -> FunctionCallItem:
        """The item with the call of this number."""
        while number >= len(self._call_ids):
            self._call_ids.append((f"fc_{new_id()}", f"call_{new_id()}"))
        item_id, call_id = self._call_ids[number]
        return {
            "id": item_id,
            "type": "function_call",
            "call_id": call_id,
            "name": call.function,
            "arguments": call.arguments,
            "status": status,
        }

    def message_item(self, text: str | None, status: Progress = "in_progress") -> MessageItem:
        """The item of a message with this text; `text` is None before there is any."""
        return self._message(status, [] if text is None else [text_part(text)])

    def _message(self, status: Progress, content: list[MessagePart]) -> MessageItem:
        return {
            "id": self.message_id,
            "type": "message",
            "role": "assistant",
            "status": status,
            "content": content,
        }


def text_part(text: str) -> OutputText:
    """The content of a message with this text."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _offered(tool: ItemTool) -> ToolReply:
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        "strict": tool.strict,
    }


def effort_of(body: ResponsesRequest) -> Effort | None:
    """The effort that a request asks for."""
    return body.reasoning.effort if body.reasoning is not None else None
