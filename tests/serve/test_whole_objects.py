"""Replies and events are whole and strictly typed, as OpenAI's own classes and the OpenResponses schema have them; and
what a response says of its request can be asked again.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types import Completion
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from openai.types.responses.response_create_params import ResponseCreateParamsBase
from pydantic import TypeAdapter

from tests.serve.conftest import Running
from tests.serve.replies import check_reply, check_type
from tests.serve.test_function_calls import PARAMETERS, chat_tool, item_tool
from tests.serve.test_refusals import post
from tuili.serve.routes.response_builder import ResponseBuilder
from tuili.serve.schemas.requests import ResponsesRequest

CHAT, TEXT, ITEMS = "/v1/chat/completions", "/v1/completions", "/v1/responses"
SCHEMA = {"name": "sum", "schema": PARAMETERS}
NOTHING_FITS = {"name": "never", "schema": {"type": "object", "properties": {"x": {"enum": ["never"]}}}}
FORCED_CHAT = {"tools": [chat_tool()], "tool_choice": "required"}
FORCED_ITEM = {"tools": [item_tool()], "tool_choice": {"type": "function", "name": "sum"}}
OPEN_RESPONSES = {
    "id",
    "object",
    "created_at",
    "completed_at",
    "status",
    "incomplete_details",
    "model",
    "previous_response_id",
    "instructions",
    "output",
    "error",
    "tools",
    "tool_choice",
    "truncation",
    "parallel_tool_calls",
    "text",
    "top_p",
    "presence_penalty",
    "frequency_penalty",
    "top_logprobs",
    "temperature",
    "reasoning",
    "usage",
    "max_output_tokens",
    "max_tool_calls",
    "store",
    "background",
    "service_tier",
    "metadata",
    "safety_identifier",
    "prompt_cache_key",
}
"""The fields that the OpenResponses schema requires."""
WHOLE: dict[str, TypeAdapter[Any]] = {
    CHAT: TypeAdapter(ChatCompletion),
    TEXT: TypeAdapter(Completion),
    ITEMS: TypeAdapter(Response),
}
EVENTS: dict[str, TypeAdapter[Any]] = {
    CHAT: TypeAdapter(ChatCompletionChunk),
    TEXT: WHOLE[TEXT],
    ITEMS: TypeAdapter(ResponseStreamEvent),
}


def check_times(response: dict[str, Any]) -> None:
    assert set(response) - {"receipt"} >= OPEN_RESPONSES
    assert isinstance(response["created_at"], int)
    if response["status"] == "completed":
        assert isinstance(response["completed_at"], int)
        assert response["completed_at"] >= response["created_at"]
    else:
        assert response["completed_at"] is None


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        (CHAT, {}),
        (CHAT, {"max_completion_tokens": 3}),
        (CHAT, {"logprobs": True, "top_logprobs": 2, "n": 2}),
        (CHAT, {"response_format": {"type": "json_schema", "json_schema": NOTHING_FITS}}),
        (CHAT, FORCED_CHAT),
        (TEXT, {"n": 2}),
        (ITEMS, {}),
        (ITEMS, {"max_output_tokens": 3}),
        (ITEMS, {"text": {"format": {"type": "json_schema", **SCHEMA}}, "instructions": "Be exact."}),
        (ITEMS, {"text": {"format": {"type": "json_schema", **NOTHING_FITS}}}),
        (ITEMS, FORCED_ITEM),
    ],
)
def test_every_reply_and_event_is_one_of_openai(server: Running, path: str, asked: dict[str, Any]) -> None:
    whole = post(server, path, asked)
    check_reply("POST", path, whole.status_code, whole.headers, whole.content)
    WHOLE[path].validate_json(whole.content, strict=True)
    stream = post(server, path, {**asked, "stream": True})
    check_reply("POST", path, stream.status_code, stream.headers, stream.content)
    events = [line[6:] for line in stream.text.splitlines() if line.startswith("data: {")]
    for event in events:
        EVENTS[path].validate_json(event, strict=True)
    told = [json.loads(event) for event in events]
    if path == ITEMS:
        responses = [whole.json(), *(event["response"] for event in told if "response" in event)]
        for response in responses:
            check_times(response)
            for item in response["output"]:
                assert item["id"]
                assert item["status"] in ("completed", "incomplete")
        assert len({response["id"] for response in responses[1:]}) == 1
        added = {event["item"]["id"] for event in told if event["type"].endswith("output_item.added")}
        assert added == {item["id"] for item in responses[-1]["output"]}
        assert {event["item_id"] for event in told if "item_id" in event} <= added
        body = {name: value for name, value in whole.json().items() if name in ResponseCreateParamsBase.__annotations__}
        again = post(server, path, body)
        assert (again.status_code, again.json().get("status")) == (200, whole.json()["status"])
    else:
        assert not [event for event in told if "usage" in event], "nobody asked for it"
        contents = [choice["message"]["content"] for choice in whole.json()["choices"] if "message" in choice]
        assert [content for content in contents if content is None] == [None] * (asked is FORCED_CHAT)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
FORMATS = st.sampled_from(
    [{"type": "text"}, {"type": "json_object"}, {"type": "json_schema", **SCHEMA, "description": "A sum."}]
)
BODIES = st.fixed_dictionaries(
    {"model": st.just("nano"), "input": st.just("2 + 2?")},
    optional={
        "instructions": st.none() | TEXTS,
        "temperature": st.none() | st.floats(0, 2),
        "top_p": st.none() | st.floats(0.01, 1),
        "max_output_tokens": st.none() | st.integers(1, 500),
        "max_tool_calls": st.none() | st.integers(1, 5),
        "metadata": st.none() | st.dictionaries(TEXTS, TEXTS, max_size=2),
        "user": st.none() | TEXTS,
        "safety_identifier": st.none() | TEXTS,
        "prompt_cache_key": st.none() | TEXTS,
        "store": st.none() | st.booleans(),
        "parallel_tool_calls": st.none() | st.booleans(),
        "service_tier": st.sampled_from([None, "auto", "default"]),
        "reasoning": st.none() | st.fixed_dictionaries({"effort": st.sampled_from([None, "none", "low", "xhigh"])}),
        "text": st.none() | st.fixed_dictionaries({}, optional={"format": FORMATS, "verbosity": st.just("medium")}),
        "tools": st.none() | st.just([]) | st.just([item_tool(), {"type": "function", "name": "bare"}]),
        "tool_choice": st.sampled_from([None, "none", "auto", "required", {"type": "function", "name": "sum"}]),
        "truncation": st.sampled_from([None, "disabled"]),
        "include": st.sampled_from([None, [], ["reasoning.encrypted_content"]]),
    },
)


@settings(max_examples=30)
@given(BODIES)
def test_what_a_response_says_of_its_request_can_be_asked_again(body: dict[str, Any]) -> None:
    told: dict[str, Any] = dict(ResponseBuilder(ResponsesRequest.model_validate(body), "nano", None).in_progress())
    check_type("Response", json.dumps(told))
    check_times(told)
    WHOLE[ITEMS].validate_json(json.dumps(told), strict=True)
    kept = {name: value for name, value in told.items() if name in ResponseCreateParamsBase.__annotations__}
    assert set(told) - set(kept) == {"id", "object", "created_at", "completed_at", "status", "output", "usage"} | {
        "error",
        "incomplete_details",
        "frequency_penalty",
        "presence_penalty",
    }
    again = {**kept, "frequency_penalty": 0, "presence_penalty": 0.0, "input": "2 + 2?"}
    second = ResponseBuilder(ResponsesRequest.model_validate(again), "nano", None).in_progress()
    changing = ("id", "created_at")
    assert {name: value for name, value in second.items() if name not in changing} == {
        name: value for name, value in told.items() if name not in changing
    }
