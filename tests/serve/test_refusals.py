"""An error names the field of a request as its route names it, and no wrong request gets through."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

import httpx2
import pytest

from tests.serve.conftest import Running
from tests.serve.replies import check_type
from tuili.engine import Event, Request, TokenWritten
from tuili.serve.errors import HttpError
from tuili.serve.monitoring.request_metrics import RequestMetrics
from tuili.serve.streams import encode_events

QUESTION = "What is 2 + 2?"
ASKED: dict[str, Any] = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": QUESTION}]},
    "/v1/completions": {"prompt": QUESTION},
    "/v1/responses": {"input": QUESTION},
}
CHAT, TEXT, ITEMS = ASKED


def post(server: Running, path: str, body: Any) -> httpx2.Response:
    content = body if isinstance(body, bytes) else json.dumps({"model": "nano", **ASKED[path], **body}).encode()
    return httpx2.post(server.url + path, content=content, headers={"content-type": "application/json"}, timeout=60)


@pytest.mark.parametrize(
    ("path", "wrong", "code", "param"),
    [
        (CHAT, {"messages": [{"role": "user", "content": ""}]}, "invalid_prompt", "messages"),
        (TEXT, {"prompt": ""}, "invalid_prompt", "prompt"),
        (TEXT, {"prompt": "1 " * 5000}, "context_length_exceeded", "prompt"),
        (ITEMS, {"input": " "}, "invalid_prompt", "input"),
        (CHAT, {"max_completion_tokens": 0}, "invalid_value", "max_completion_tokens"),
        (TEXT, {"max_tokens": 0}, "invalid_value", "max_tokens"),
        (ITEMS, {"max_output_tokens": 0}, "invalid_value", "max_output_tokens"),
        (CHAT, {"budget": {"deadline_ms": 1e-9}}, "invalid_value", "budget.deadline_ms"),
        (CHAT, {"budget": {"max_steps": 3, "max_attempts": 2}}, "invalid_value", "budget.max_attempts"),
        (CHAT, {"budget": {"max_layer_steps": 1}}, "invalid_value", "budget.max_layer_steps"),
        (CHAT, {"top_logprobs": 1}, "invalid_value", "top_logprobs"),
        (CHAT, {"stream_options": {}}, "invalid_value", "stream_options"),
        (TEXT, {"stream_options": {}}, "invalid_value", "stream_options"),
        (CHAT, {"max_tokens": 5, "max_completion_tokens": 5}, "invalid_value", "max_tokens"),
    ],
)
def test_the_field_is_named_as_the_route_names_it(
    server: Running, path: str, wrong: dict[str, Any], code: str, param: str
) -> None:
    reply = post(server, path, wrong)
    assert reply.status_code == 400
    error = reply.json()["error"]
    assert (error["code"], error["param"]) == (code, param)
    assert "-0 ms" not in error["message"]


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        (CHAT, {"n": "2"}),
        (CHAT, {"n": True}),
        (CHAT, {"n": 1.5}),
        (CHAT, {"seed": False}),
        (CHAT, {"temperature": False}),
        (CHAT, {"temperature": "1"}),
        (CHAT, {"stream": 0}),
        (CHAT, {"stream": "false"}),
        (CHAT, {"store": 0}),
        (CHAT, {"depth": True}),
        (TEXT, {"echo": 0}),
        (TEXT, {"best_of": True}),
        (ITEMS, {"background": 0}),
        (ITEMS, {"metadata": {"a": 1}}),
    ],
)
def test_a_value_of_another_type_is_refused(server: Running, path: str, wrong: dict[str, Any]) -> None:
    reply = post(server, path, wrong)
    assert reply.status_code == 400
    (name,) = wrong
    assert reply.json()["error"]["param"].partition(".")[0] == name


def test_a_whole_number_may_be_written_with_a_point(server: Running) -> None:
    reply = post(server, CHAT, {"n": 2.0, "seed": 3.0, "depth": 12.0})
    assert reply.status_code == 200
    assert len(reply.json()["choices"]) == 2


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("text", ['{"\\udfff": "a"}', '{"a": "\\udfff"}'])
def test_half_a_character_is_refused_where_it_would_come_back(server: Running, text: str, stream: bool) -> None:
    body = json.dumps({"model": "nano", "input": QUESTION, "stream": stream})[:-1] + f', "metadata": {text}}}'
    reply = post(server, ITEMS, body.encode())
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "invalid_value")


@pytest.mark.parametrize("body", [b"{", b'{"model": "\xff"}', b"[" * 100_000, b'{"seed": %s}' % (b"9" * 5000)])
def test_what_is_no_json_is_called_so(server: Running, body: bytes) -> None:
    reply = post(server, CHAT, body)
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "invalid_json")


@pytest.mark.parametrize(
    ("content_type", "status", "told"),
    [
        (None, 415, "there is none"),
        ("text/plain;charset=UTF-8", 415, "it is text/plain"),
        ("application/x-www-form-urlencoded", 415, "it is application/x"),
        ("application/jsonp", 415, "it is"),
        ("application/json", 400, ""),
        ("Application/JSON; charset=utf-8", 400, ""),
        ("application/problem+json", 400, ""),
    ],
)
def test_a_body_that_is_not_announced_as_json_is_called_so(
    server: Running, content_type: str | None, status: int, told: str
) -> None:
    headers = {} if content_type is None else {"content-type": content_type}
    for path in (*ASKED, "/v1/feedback"):
        reply = httpx2.post(server.url + path, content=b'{"model": 3}', headers=headers, timeout=60)
        check_type("Error", reply.content)
        assert reply.status_code == status
        error = reply.json()["error"]
        assert (error["code"] == "unsupported_content_type") == (status == 415)
        assert told in error["message"]


def test_a_method_that_is_not_taken_hears_which_are(server: Running) -> None:
    reply = httpx2.delete(f"{server.url}{CHAT}")
    assert (reply.status_code, reply.headers["allow"]) == (405, "POST")
    assert reply.json()["error"]["code"] == "method_not_allowed"


def test_an_error_in_a_named_stream_is_an_event_of_its_own_number() -> None:
    class Told:
        named = True

        def of_event(self, index: int, event: Event) -> list[dict[str, Any]]:
            return [{"type": "response.created", "sequence_number": index}]

        def at_end(self) -> list[dict[str, Any]]:
            pytest.fail("an error ends it")

    async def batches() -> AsyncGenerator[list[tuple[int, Event]], None]:
        yield [(0, TokenWritten(1, "1", 3))]
        raise HttpError(500, "an error inside", "engine_failed")

    async def main() -> list[bytes]:
        return [block async for block in encode_events(batches(), Told())]

    *_, last = asyncio.run(main())
    event, data = last.decode().strip().split("\n")
    assert event == "event: error"
    check_type("ResponseEvent", data.removeprefix("data: "))
    event = json.loads(data.removeprefix("data: "))
    assert (event["type"], event["sequence_number"], event["code"]) == ("error", 1, "engine_failed")


def test_who_leaves_before_the_first_token_is_counted(server: Running) -> None:
    metrics = server.app.state.metrics
    counter = metrics.outcomes.labels("nano", "cancelled", "cancelled")
    before = counter._value.get()
    refused = RequestMetrics(metrics, "nano", Request(QUESTION), 0.0)
    refused.record_error(HttpError(429, "too many", "overloaded"))
    assert refused.finish() == 0
    assert counter._value.get() == before, "what was refused is counted elsewhere"
    left = RequestMetrics(metrics, "nano", Request(QUESTION), 0.0)
    assert left.finish() == 0
    assert counter._value.get() == before + 1


@pytest.mark.parametrize(("path", "wrong"), [(CHAT, {"response_format": {}}), (ITEMS, {"text": {"format": {}}})])
def test_a_format_without_its_type_is_refused_as_the_document_says(
    server: Running, path: str, wrong: dict[str, Any]
) -> None:
    assert post(server, path, wrong).status_code == 400
    assert server.app.openapi()["components"]["schemas"]["Text"]["required"] == ["type"]
