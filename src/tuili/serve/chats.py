"""Conversations for models that write prose: the messages of a request as the chat template of the model gets them.

Every message is read, system messages, calls of functions and replies to them included. `engine_requests` has what
models of steps are given instead.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import Any

from tuili.serve.errors import HttpError
from tuili.serve.forms.calls import Call, CallFormat
from tuili.serve.schemas.messages import (
    ChatInput,
    FunctionCallInput,
    FunctionOutputInput,
    Message,
    ToolCall,
    Turn,
    content_text,
)

NAMES: Mapping[str, str] = {"developer": "system"}
"""Roles under the names that templates know."""


def read_chat(
    turns: Sequence[Turn], place: str = "messages", instructions: str | None = None
) -> tuple[dict[str, Any], ...]:
    """The messages that turns are, behind instructions. Items of reasoning are left out, and references to them.

    Raises `HttpError` where the last one is of the assistant, and for a reply to a call that was not made. `place` is
    the request's field with the turns.
    """
    messages, called = list[dict[str, Any]](), set[str]()
    if instructions:
        messages.append({"role": "system", "content": instructions})
    for number, turn in enumerate(turns):
        if isinstance(turn, Message):
            called |= {call.id for call in turn.calls}
            if isinstance(turn, ChatInput) and turn.tool_call_id is not None:
                _check_called(turn.tool_call_id, called, f"{place}.{number}.tool_call_id")
            messages.append(_message(turn))
        elif isinstance(turn, FunctionCallInput):
            called.add(turn.call_id)
            call = _call(turn.call_id, turn.name, turn.arguments)
            messages.append({"role": "assistant", "content": "", "tool_calls": [call]})
        elif isinstance(turn, FunctionOutputInput):
            _check_called(turn.call_id, called, f"{place}.{number}.call_id")
            messages.append({"role": "tool", "content": content_text(turn.output), "tool_call_id": turn.call_id})
    if not messages or messages[-1]["role"] not in ("user", "tool"):
        raise HttpError(400, f"{place}: the last one must be of the user", "invalid_value", place)
    return tuple(messages)


def told_in_words(messages: Sequence[dict[str, Any]], instruction: str, template: str) -> tuple[dict[str, Any], ...]:
    """The messages with what the chat template does not tell the model itself: an instruction in the system message,
    and calls and replies to them as text, where the template does not know them.
    """
    told = list(messages)
    if "tool_calls" not in template:
        told = list(map(_as_text, told, repeat(CallFormat.of_template(template))))
    if instruction and told[0]["role"] == "system":
        told[0] = {**told[0], "content": f"{told[0]['content']}\n\n{instruction}"}
    elif instruction:
        told.insert(0, {"role": "system", "content": instruction})
    return tuple(told)


def _as_text(message: dict[str, Any], format: CallFormat) -> dict[str, Any]:
    """A message without calls but those in its text."""
    if message["role"] == "tool":
        return {"role": "user", "content": f"<tool_response>\n{message['content']}\n</tool_response>"}
    if "tool_calls" not in message:
        return message
    functions = [call["function"] for call in message["tool_calls"]]
    written = [format.written(Call(each["name"], _json(each["arguments"]))) for each in functions]
    rest = {name: value for name, value in message.items() if name != "tool_calls"}
    return {**rest, "content": "\n".join([*filter(None, [message["content"]]), *written])}


def _json(arguments: Any) -> str:
    """The arguments of a call as text, which some clients have sent as no JSON."""
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)


def _check_called(call: str, called: set[str], at: str) -> None:
    if call not in called:
        raise HttpError(400, f"{at}: no call before it has this id", "invalid_value", at)


def _message(turn: Message) -> dict[str, Any]:
    text = content_text(turn.content) or turn.refusal or ""
    message: dict[str, Any] = {"role": NAMES.get(turn.role, turn.role), "content": text}
    if turn.name is not None:
        message["name"] = turn.name
    if reasoning := turn.reasoning_content or turn.reasoning:
        message["reasoning_content"] = reasoning
    if turn.calls:
        message["tool_calls"] = list(map(_tool_call, turn.calls))
    if isinstance(turn, ChatInput) and turn.tool_call_id is not None:
        message["tool_call_id"] = turn.tool_call_id
    return message


def _tool_call(call: ToolCall) -> dict[str, Any]:
    return _call(call.id, call.function.name, call.function.arguments)


def _call(call_id: str, name: str, arguments: str) -> dict[str, Any]:
    """A call with its arguments as an object, which templates write as JSON; as text where they are none."""
    try:
        given = json.loads(arguments)
    except (ValueError, RecursionError):
        given = arguments
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": given}}
