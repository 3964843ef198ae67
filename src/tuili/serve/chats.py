"""Conversations for models that write prose: the messages of a request as passed to the model's chat template.

Every message is read, including system messages, function calls and the replies to them. `engine_requests` prepares
conversations for models of steps.
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
"""For roles that templates do not know, the names that they know."""


def read_chat(
    turns: Sequence[Turn], place: str = "messages", instructions: str | None = None
) -> tuple[dict[str, Any], ...]:
    """Convert turns to messages, after any instructions. Reasoning items and references to them are left out.

    Raises `HttpError` if the last message is not from the user or a tool, and for a reply to a call that was not made.
    `place` is the request field that contains the turns.
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
    """Add to messages what the chat template does not pass to the model itself: an instruction in the system message,
    and calls and the replies to them as text, if the template does not support them.
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
    """A message whose calls, or reply to a call, are written as text."""
    if message["role"] == "tool":
        return {"role": "user", "content": f"<tool_response>\n{message['content']}\n</tool_response>"}
    if "tool_calls" not in message:
        return message
    functions = [call["function"] for call in message["tool_calls"]]
    written = [format.written(Call(each["name"], _json(each["arguments"]))) for each in functions]
    rest = {name: value for name, value in message.items() if name != "tool_calls"}
    return {**rest, "content": "\n".join([*filter(None, [message["content"]]), *written])}


def _json(arguments: Any) -> str:
    """The arguments of a call as text. Some clients send text that is not JSON."""
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
    """A call with parsed arguments, because templates write them as JSON; unparsed if they are not JSON."""
    try:
        given = json.loads(arguments)
    except (ValueError, RecursionError):
        given = arguments
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": given}}
