"""The server takes and sends what its OpenAPI document says. schemathesis makes right and wrong requests from it: every
answer is as the document says, and no request makes the server fail.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx2
import pytest
import schemathesis
from prometheus_client import Counter

from tests.serve.conftest import Running, running
from tests.serve.generated import explore
from tests.serve.replies import check_reply, check_type
from tests.serve.test_keys import key
from tests.waiting import GUARD_SECONDS, eventually
from tuili.engine import Engine
from tuili.serve.app import Settings
from tuili.serve.errors import HttpError
from tuili.serve.keys import Keys
from tuili.serve.middleware import PROBE_PATHS
from tuili.serve.request_body import RequestLimits
from tuili.serve.routes.api_route import ApiRoute
from tuili.serve.schemas.openapi import ROUTE_REPLIES, STATUS_DESCRIPTIONS

CHAT = "/v1/chat/completions"
ASKED: Any = {"model": "nano", "messages": [{"role": "user", "content": "What is 48 + 27 * 3?"}]}
MIN_REQUESTS = 5000


@pytest.fixture(scope="module")
def guarded() -> Iterator[Running]:
    keys = Keys([key("free", "one"), key("slow", "two", requests_per_minute=1)], clock=lambda: 0.0)
    limits = RequestLimits(max_body_bytes=50_000, max_headers=50, max_header_bytes=4_000)
    yield from running(Settings(keys, limits))


@pytest.fixture(scope="module")
def patient() -> Iterator[Running]:
    """A server with the usual limits."""
    yield from running(Settings(Keys([key("free", "one", role="operator", max_priority=100)])))


def test_the_document_has_every_route_and_nothing_that_is_not(guarded: Running, server: Running) -> None:
    document = guarded.app.openapi()
    schemathesis.openapi.from_dict(document).validate()
    routes = [route for route in guarded.app.routes if isinstance(route, ApiRoute)]
    assert {(route.method.lower(), route.path) for route in routes} <= set(ROUTE_REPLIES)
    told = {(method, path) for path, own in document["paths"].items() for method in own}
    assert told == set(ROUTE_REPLIES)
    statuses = [told["responses"] for own in document["paths"].values() for told in own.values()]
    assert {int(status) for told in statuses for status in told} == set(STATUS_DESCRIPTIONS)
    assert "422" not in json.dumps(document)
    assert "ValidationError" not in json.dumps(document)
    for needed, app in ((True, guarded.app), (False, server.app)):
        for path, own in app.openapi()["paths"].items():
            for operation in own.values():
                expected = None if path in PROBE_PATHS else ([] if needed else [{}]) + [{"bearer": []}, {"apiKey": []}]
                assert operation.get("security") == expected


def test_every_reference_leads_somewhere(server: Running) -> None:
    document = server.app.openapi()

    def references(part: Any) -> Iterator[str]:
        for name, value in part.items() if isinstance(part, dict) else enumerate(part):
            if name == "$ref":
                yield value
            elif isinstance(value, dict | list):
                yield from references(value)

    kinds = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert set(references(document)) == kinds, "and every type is used"


def test_some_made_up_requests_are_answered_as_the_document_says(patient: Running) -> None:
    drawn = explore(patient, ["fuzzing"], 6, key="one", only="^/v1/(chat|completions|responses|models)")
    assert drawn.wrong == []
    assert drawn.requests >= 30
    assert drawn.by_status()[200] >= 8
    narrow = explore(patient, ["coverage"], 1, key="one", only="^/(v1/(models|feedback|operator)|health|ready|metrics)")
    assert narrow.wrong == []
    assert {200, 202, 400, 401, 404, 405} <= set(narrow.by_status())


@pytest.mark.conformance
def test_thousands_of_made_up_requests_are_answered_as_the_document_says(
    patient: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    covered = explore(patient, ["coverage"], 1, key="one", rules=False)
    drawn = explore(patient, ["fuzzing"], 400, key="one")
    chained = explore(patient, ["stateful"], 30, key="one")
    with capsys.disabled():
        for name, explored in (("covering", covered), ("drawn", drawn), ("chained", chained)):
            sys.stdout.write(f"\n{name}: {explored.requests} requests, by status {explored.by_status()}\n")
    assert covered.wrong + drawn.wrong + chained.wrong == []
    assert covered.requests + drawn.requests + chained.requests >= MIN_REQUESTS
    assert chained.by_status()[200] > 0
    for explored in (covered, drawn):
        assert not [status for status in explored.by_status() if status >= 500]
        for path in (CHAT, "/v1/completions", "/v1/responses"):
            assert explored.share(path) > 0.6, "right requests are answered more often than not"


def send(server: Running, path: str, body: Any = None, secret: str = "one", **more: Any) -> httpx2.Response:
    """Send one request, and check that its answer is as the document says."""
    method = "GET" if body is None else "POST"
    headers = {"authorization": f"Bearer {secret}", "content-type": "application/json", **more.pop("headers", {})}
    content = json.dumps(body) if isinstance(body, dict) else body
    reply = httpx2.request(method, server.url + path, content=content, headers=headers, timeout=GUARD_SECONDS, **more)
    declared = "/v1/models/{name}" if path.startswith("/v1/models/") else path
    check_reply(method, declared, reply.status_code, reply.headers, reply.content)
    return reply


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("path", "asked"),
    [
        (CHAT, {}),
        (CHAT, {"n": 3, "temperature": 1.5, "seed": 4}),
        (CHAT, {"logprobs": True, "top_logprobs": 5}),
        (CHAT, {"max_completion_tokens": 5}),
        (CHAT, {"stop": ["="]}),
        (CHAT, {"reasoning_effort": "high", "budget": {"max_layer_steps": 300}}),
        (CHAT, {"budget": {"error_tolerance": 0.05, "max_steps": 4}, "user": "u", "metadata": {"a": "b"}}),
        (CHAT, {"depth": "exact", "messages": [{"role": "user", "content": "Who are you?"}]}),
        ("/v1/completions", {"prompt": ["What is 2 + 2?", "What is 3 + 3?"], "n": 2}),
        ("/v1/completions", {"prompt": "What is 2 + 2?", "max_tokens": 3}),
        ("/v1/responses", {"input": "What is 2 + 2?", "instructions": "Be exact.", "reasoning": {"effort": "low"}}),
        ("/v1/responses", {"input": "What is 48 + 27 * 3?", "max_output_tokens": 5, "metadata": {"a": "b"}}),
    ],
)
def test_answers_of_every_kind_are_as_declared(guarded: Running, path: str, asked: Any, stream: bool) -> None:
    body = {**(ASKED if path == CHAT else {"model": "nano"}), **asked, "stream": stream}
    if stream and path != "/v1/responses":
        body["stream_options"] = {"include_usage": True}
    assert send(guarded, path, body).status_code == 200


def send_too_much(server: Running) -> httpx2.Response | None:
    """None where the connection was closed on a client that was still sending, and the reply was lost by that."""
    with suppress(httpx2.TransportError):
        return send(server, CHAT, b"x" * 50_001)
    return None


def test_errors_of_every_kind_are_as_declared(guarded: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = [
        send(guarded, CHAT, b"{"),
        send(guarded, CHAT, ASKED, secret="none"),
        send(guarded, CHAT, ASKED | {"model": "other"}),
        send(guarded, "/v1/models/other"),
        send(guarded, "/v1/operator/alarms"),
        eventually(lambda: send_too_much(guarded), "no reply to a large body"),
        send(guarded, CHAT, b"{}", headers={"content-type": "text/plain"}),
        send(guarded, CHAT, ASKED, headers={"x-long": "y" * 5_000}),
        *(send(guarded, CHAT, ASKED, secret="two") for _ in range(2)),
    ]
    monkeypatch.setattr(Engine, "prepare", lambda *_: 1 / 0)
    seen.append(send(guarded, CHAT, ASKED))
    monkeypatch.setattr("tuili.serve.models.ModelRegistry.ready", False)
    seen.append(send(guarded, "/ready"))

    def refuse(*_: Any) -> Any:
        raise HttpError(503, "the server is shutting down", "shutting_down", retry_after=5)

    monkeypatch.setattr("tuili.serve.models.ModelRegistry.find", refuse)
    seen += [send(guarded, CHAT, ASKED), send(guarded, "/v1/models/nano")]
    statuses = [one.status_code for one in seen]
    assert statuses == [400, 401, 404, 404, 403, 413, 415, 431, 200, 429, 500, 503, 503, 503]


def test_a_body_that_comes_too_late_is_refused_as_declared() -> None:
    for hasty in running(Settings(limits=RequestLimits(body_seconds=0.1)), folders=()):
        too_slow = hasty.app.state.metrics.requests.labels("", CHAT, "408")

        def slowly(refused: Counter = too_slow) -> Iterator[bytes]:
            yield b"{"
            eventually(refused._value.get, "a body that does not come is waited for")
            yield b"}"

        assert send(hasty, CHAT, slowly()).status_code == 408


def test_a_reply_with_a_field_too_many_or_too_few_is_noticed() -> None:
    check_type("Health", '{"status": "ok"}')
    for wrong in ('{"status": "ok", "more": 1}', "{}", '{"status": "fine"}'):
        with pytest.raises(ValueError, match="validation error"):
            check_type("Health", wrong)
