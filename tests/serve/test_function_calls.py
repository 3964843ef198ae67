"""A function that is forced is called with the answer, whole or streamed, in chats and in responses; what came back can
be sent again. A function that a model would have to choose is refused.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai.types.responses import Response

from tests.serve.conftest import Running
from tests.serve.replies import check_reply, check_type
from tests.serve.test_refusals import post
from tuili.serve.schemas.messages import ChatInput, ReasoningInput, without_calls

CHAT, ITEMS = "/v1/chat/completions", "/v1/responses"
PARAMETERS = {
    "type": "object",
    "properties": {
        "reasoning": {"type": "string"},
        "result": {"type": "integer", "minimum": -(2**53) + 1, "maximum": 2**53 - 1},
    },
    "required": ["reasoning", "result"],
    "additionalProperties": False,
}
BOOLEAN = {"type": "object", "properties": {"holds": {"type": "boolean"}}}


def chat_tool(name: str = "sum", parameters: Any = PARAMETERS) -> Any:
    return {"type": "function", "function": {"name": name, "description": "A sum.", "parameters": parameters}}


def item_tool(name: str = "sum", parameters: Any = PARAMETERS) -> Any:
    return {"type": "function", "name": name, "parameters": parameters, "strict": True}


NAMED_CHAT = {"type": "function", "function": {"name": "sum"}}
NAMED_ITEM = {"type": "function", "name": "sum"}
FILLED = {"reasoning": "2 + 2 = 4", "result": 4}


@pytest.mark.parametrize(("choice", "finish"), [("required", "tool_calls"), (NAMED_CHAT, "stop")])
def test_a_chat_calls_the_function_that_is_forced(server: Running, choice: Any, finish: str) -> None:
    tools = [chat_tool()] if choice == "required" else [chat_tool("other"), chat_tool()]
    reply = post(server, CHAT, {"tools": tools, "tool_choice": choice, "parallel_tool_calls": True, "n": 2})
    check_reply("POST", CHAT, reply.status_code, reply.headers, reply.content)
    messages = [choice["message"] for choice in reply.json()["choices"]]
    assert {choice["finish_reason"] for choice in reply.json()["choices"]} == {finish}
    calls = [call for message in messages for call in message["tool_calls"]]
    assert len({call["id"] for call in calls}) == 2
    for message, call in zip(messages, calls, strict=True):
        assert (message["content"], message["refusal"]) == (None, None)
        assert (call["type"], call["function"]["name"]) == ("function", "sum")
        assert json.loads(call["function"]["arguments"]) == FILLED


def test_a_streamed_call_is_the_same(server: Running) -> None:
    client: Any = server.client().chat.completions
    asked = [{"role": "user", "content": "What is 2 + 2?"}]
    with client.stream(model="nano", messages=asked, tools=[chat_tool()], tool_choice="required") as stream:
        chunks = [event.chunk for event in stream if event.type == "chunk"]
        final = stream.get_final_completion().choices[0]
    (call,) = final.message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == ("sum", FILLED)
    assert (final.finish_reason, final.message.content) == ("tool_calls", None)
    assert all(chunk.usage is None for chunk in chunks), "nobody asked for it"
    assert not [chunk for chunk in chunks if not chunk.choices]


@pytest.mark.parametrize("choice", ["required", NAMED_ITEM])
def test_a_response_calls_the_function_that_is_forced(server: Running, choice: Any) -> None:
    asked = {"tools": [item_tool()], "tool_choice": choice}
    reply = post(server, ITEMS, asked)
    check_reply("POST", ITEMS, reply.status_code, reply.headers, reply.content)
    body = reply.json()
    assert (body["tool_choice"], body["tools"][0]["parameters"]) == (choice, PARAMETERS)
    reasoning, call = body["output"]
    assert (reasoning["type"], call["type"], call["name"], call["status"]) == (
        "reasoning",
        "function_call",
        "sum",
        "completed",
    )
    assert json.loads(call["arguments"]) == FILLED
    stream = post(server, ITEMS, {**asked, "stream": True})
    check_reply("POST", ITEMS, stream.status_code, stream.headers, stream.content)
    events = [json.loads(line[6:]) for line in stream.text.splitlines() if line.startswith("data: ")]
    kinds = [event["type"].removeprefix("response.") for event in events[-6:]]
    arguments = "function_call_arguments"
    assert kinds[1:] == [
        "output_item.added",
        f"{arguments}.delta",
        f"{arguments}.done",
        "output_item.done",
        "completed",
    ]
    last = events[-1]["response"]["output"][1]
    assert events[-2]["item"] == last
    assert events[-3]["item_id"] == events[-4]["item_id"] == events[-5]["item"]["id"] == last["id"]
    assert events[-3]["arguments"] == events[-4]["delta"] == last["arguments"]


def test_an_answer_that_does_not_fit_is_no_call(server: Running) -> None:
    message = post(server, CHAT, {"tools": [chat_tool("sum", BOOLEAN)], "tool_choice": "required"}).json()["choices"][0]
    assert message["finish_reason"] == "stop"
    assert message["message"]["refusal"] == "abstained: '4' is not of type boolean"
    assert (message["message"]["content"], "tool_calls" in message["message"]) == ("", False)
    item = post(server, ITEMS, {"tools": [item_tool("sum", BOOLEAN)], "tool_choice": "required"}).json()["output"][1]
    assert item["content"][0]["type"] == "refusal"


@pytest.mark.parametrize(
    ("path", "asked", "param"),
    [
        (CHAT, {"tools": [chat_tool()]}, "tools"),
        (CHAT, {"tools": [chat_tool()], "tool_choice": "auto"}, "tools"),
        (CHAT, {"tools": [chat_tool(), chat_tool("b")], "tool_choice": "required"}, "tool_choice"),
        (CHAT, {"tools": [chat_tool("b")], "tool_choice": NAMED_CHAT}, "tool_choice"),
        (CHAT, {"tools": [], "tool_choice": "required"}, "tool_choice"),
        (CHAT, {"tool_choice": NAMED_CHAT}, "tool_choice"),
        (CHAT, {"tools": [{"type": "custom"}]}, "tools.0.type"),
        (CHAT, {"tools": [chat_tool("sum", {})], "tool_choice": "required"}, "tools.0.function.parameters"),
        (CHAT, {"tools": [chat_tool()], "tool_choice": "required", "logprobs": True}, "logprobs"),
        (
            CHAT,
            {"tools": [chat_tool()], "tool_choice": "required", "response_format": {"type": "json_object"}},
            "response_format",
        ),
        (ITEMS, {"tools": [item_tool()]}, "tools"),
        (ITEMS, {"tools": [item_tool("sum", {})], "tool_choice": NAMED_ITEM}, "tools.0.parameters"),
        (ITEMS, {"tools": [{"type": "web_search", "name": "web"}]}, "tools.0.type"),
        (
            ITEMS,
            {"tools": [item_tool()], "tool_choice": "required", "text": {"format": {"type": "json_object"}}},
            "text.format",
        ),
    ],
)
def test_a_function_that_is_not_forced_is_refused(server: Running, path: str, asked: Any, param: str) -> None:
    reply = post(server, path, asked)
    check_reply("POST", path, reply.status_code, reply.headers, reply.content)
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, param)


def test_functions_that_may_not_be_called_change_nothing(server: Running) -> None:
    for path, tool in ((CHAT, chat_tool()), (ITEMS, item_tool())):
        assert post(server, path, {"tools": [tool, tool], "tool_choice": "none"}).status_code == 200


def test_a_call_can_be_sent_back_with_what_the_function_replied(server: Running) -> None:
    asked: Any = {"role": "user", "content": "What is 2 + 2?"}
    forced: Any = {"model": "nano", "tools": [chat_tool()], "tool_choice": "required"}
    client = server.client()
    message = client.chat.completions.create(messages=[asked], **forced).choices[0].message
    assert message.tool_calls is not None
    replied: Any = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "result: too small"}
    for call in (message, message.model_dump()):
        for turns in ([asked, call, replied], [asked, call, replied, asked]):
            again = client.chat.completions.create(messages=turns, **forced).choices[0].message
            assert again.tool_calls is not None
    item_forced: Any = {"model": "nano", "tools": [item_tool()], "tool_choice": NAMED_ITEM}
    response = client.responses.create(input="What is 2 + 2?", **item_forced)
    call_id = response.output[-1].call_id  # type: ignore[union-attr]
    output: Any = {"type": "function_call_output", "call_id": call_id, "output": "too small"}
    items: Any = [asked, *(item.model_dump(by_alias=True, exclude_none=True) for item in response.output), output]
    second = client.responses.create(input=items, **item_forced)
    assert isinstance(second, Response)
    assert second.output[-1].type == "function_call"


def call(call_id: str) -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": "sum", "arguments": '{"result": 4}'}}


CALLED: Any = {"role": "assistant", "tool_calls": [call("a")], "content": None}
REPLIED: Any = {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": "ok"}]}
ASKED: Any = {"role": "user", "content": "2 + 2?"}
SAID: Any = {"role": "assistant", "content": "4"}


@pytest.mark.parametrize(
    ("turns", "read"),
    [
        ([ASKED, CALLED, REPLIED], ["2 + 2?", "-", "-"]),
        ([ASKED, CALLED, REPLIED, ASKED], ["2 + 2?", '{"result": 4}', "-", "2 + 2?"]),
        ([ASKED, CALLED, REPLIED, SAID, ASKED], ["2 + 2?", "-", "-", "4", "2 + 2?"]),
        ([ASKED, CALLED, REPLIED, CALLED, REPLIED, ASKED], ["2 + 2?", "-", "-", '{"result": 4}', "-", "2 + 2?"]),
    ],
)
def test_a_call_that_no_answer_follows_was_the_answer(turns: list[Any], read: list[str]) -> None:
    told = without_calls([ChatInput.model_validate(turn) for turn in turns])
    assert ["-" if isinstance(turn, ReasoningInput) else turn.text for turn in told] == read


@pytest.mark.parametrize(
    ("path", "field", "turns", "param"),
    [
        (CHAT, "messages", [ASKED, REPLIED], "messages.1.tool_call_id"),
        (CHAT, "messages", [ASKED, {**CALLED, "role": "user"}, ASKED], "messages.1"),
        (CHAT, "messages", [ASKED, {"role": "tool", "content": "x"}], "messages.1"),
        (CHAT, "messages", [{**ASKED, "tool_call_id": "a"}], "messages.0"),
        (
            ITEMS,
            "input",
            [ASKED, {"type": "function_call_output", "call_id": "b", "output": "x"}],
            "input.1.call_id",
        ),
        (ITEMS, "input", [ASKED, REPLIED], "input.1.role"),
    ],
)
def test_a_reply_to_no_call_is_refused(server: Running, path: str, field: str, turns: Any, param: str) -> None:
    reply = post(server, path, {field: turns})
    check_type("Error", reply.content)
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, param)
