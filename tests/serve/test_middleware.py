"""Requests that are too large, too slow or too many are refused in OpenAI's form; each request leaves a line in the
log.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, cast
from urllib.parse import urlsplit

import pytest

from tests.serve.conftest import Running, running
from tests.waiting import GUARD_SECONDS, eventually
from tuili.cli import serve
from tuili.errors import InputError
from tuili.serve.app import Settings
from tuili.serve.keys import Keys
from tuili.serve.middleware import AccessMiddleware
from tuili.serve.models import ModelRegistry
from tuili.serve.monitoring.metrics import Metrics
from tuili.serve.request_body import RequestBody, RequestLimits

PATH = "/v1/chat/completions"
PAGE = "https://page.example"


@pytest.fixture(scope="module")
def narrow() -> Iterator[Running]:
    limits = RequestLimits(max_body_bytes=2_000, max_headers=20, max_header_bytes=2_000, dropping_seconds=0.1)
    yield from running(Settings(limits=limits, allowed_origins=(PAGE,)), folders=())


def send(server: Running, request_bytes: bytes) -> tuple[int, dict[str, object]]:
    """Send raw bytes. Returns the status and the body of the reply."""
    place = urlsplit(server.url)
    with socket.create_connection((place.hostname or "", place.port or 0), timeout=GUARD_SECONDS) as connection:
        with suppress(ConnectionError):  # who is refused is not listened to any more
            connection.sendall(request_bytes)
        received = b""
        while b"}}" not in received and (more := connection.recv(65536)):
            received += more
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def post(body: bytes, *headers: str) -> bytes:
    lines = [f"POST {PATH} HTTP/1.1", "Host: x", "Content-Type: application/json", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@pytest.mark.parametrize(
    ("request_bytes", "status", "code"),
    [
        (post(b"", "Content-Length: 2001"), 413, "body_too_large"),
        (post(b"", "Content-Length: " + "9" * 15), 413, "body_too_large"),
        (post(b"fff\r\n" + b"x" * 4095 + b"\r\n0\r\n\r\n", "Transfer-Encoding: chunked"), 413, "body_too_large"),
        (post(b"", "Content-Length: 0", *(f"X-{n}: 1" for n in range(30))), 431, "headers_too_large"),
        (post(b"", "Content-Length: 0", "X: " + "y" * 3000), 431, "headers_too_large"),
        (post(b"{}", "Content-Length: 2"), 400, "invalid_value"),
    ],
)
def test_what_is_too_large_is_refused(narrow: Running, request_bytes: bytes, status: int, code: str) -> None:
    got, body = send(narrow, request_bytes)
    assert (got, body["error"]["code"]) == (status, code)  # type: ignore[index]


@pytest.fixture(scope="module")
def patient() -> Iterator[Running]:
    yield from running(Settings(limits=RequestLimits(dropping_seconds=GUARD_SECONDS)), folders=())


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (["Content-Length: 3000000"], 413),
        (["Transfer-Encoding: chunked"], 413),
        (["Content-Length: 3000000", "X: " + "y" * 17_000], 431),
    ],
)
def test_who_still_sends_a_large_body_reads_why_it_is_refused(
    patient: Running, headers: list[str], status: int
) -> None:
    place = urlsplit(patient.url)
    body = b"x" * 3_000_000
    if "chunked" in headers[0]:
        body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    with socket.create_connection((place.hostname or "", place.port or 0), timeout=GUARD_SECONDS) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)  # so that the server has to read
        connection.sendall(post(body, *headers))  # all of it, before anything is read
        assert connection.recv(65536).startswith(b"HTTP/1.1 %d " % status)


@pytest.mark.parametrize(
    ("headers", "comes", "read"),
    [
        ({b"content-length": b"30"}, 1000, 30),
        ({b"transfer-encoding": b"chunked"}, 1000, 110),
        ({b"content-length": b"101"}, 1000, 0),
        ({b"content-length": b"30", b"expect": b"100-continue"}, 1000, 0),
        ({}, 1000, 0),
        ({b"content-length": b"0"}, 1000, 0),
        ({b"content-length": b"30"}, 20, 20),
    ],
)
def test_of_a_refused_body_no_more_is_read_than_helps(headers: dict[bytes, bytes], comes: int, read: int) -> None:
    """Pieces have 10 bytes; once all that `comes` has come, the client is silent."""
    taken = 0

    async def source() -> Any:
        nonlocal taken
        if taken >= comes:
            await asyncio.Event().wait()
        taken += 10
        whole = b"content-length" in headers and taken >= int(headers[b"content-length"])
        return {"type": "http.request", "body": b"x" * 10, "more_body": not whole}

    limits = RequestLimits(dropped_bytes=100, dropping_seconds=GUARD_SECONDS if comes > read else 0.01)
    asyncio.run(RequestBody(source, headers, limits).drop_rest())
    assert taken == read


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    for hasty in running(Settings(limits=RequestLimits(body_seconds=0.1)), folders=()):
        status, body = send(hasty, post(b"{", "Content-Length: 1000"))
        assert (status, body["error"]["code"]) == (408, "body_too_slow")  # type: ignore[index]


@pytest.mark.parametrize("how", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
def test_who_leaves_within_the_body_is_no_error_of_the_server(
    server: Running, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    place, requests = urlsplit(server.url), server.app.state.metrics.requests
    left, failed = (requests.labels("", PATH, status)._value for status in ("499", "500"))
    before = left.get(), failed.get()
    with socket.create_connection((place.hostname or "", place.port or 0), timeout=GUARD_SECONDS) as connection:
        connection.sendall(post(b"1\r\n{", how))
    eventually(lambda: (left.get(), failed.get()) != before, "the request is not counted")
    assert (left.get(), failed.get()) == (before[0] + 1, before[1])
    assert "an error inside the server" not in caplog.text


def test_request_ids_come_back_and_the_log_has_no_prompt(server: Running, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "tuili.access")
    raw = server.client()._client
    body = {"model": "nano", "messages": [{"role": "user", "content": "What is 123 + 456?"}]}
    reply = raw.post(f"{server.url}{PATH}", json=body, headers={"x-request-id": "mine-1"})
    assert (reply.status_code, reply.headers["x-request-id"]) == (200, "mine-1")
    other = raw.get(f"{server.url}/v1/models", headers={"x-request-id": "a b\tc"})
    assert len(other.headers["x-request-id"]) == 32, "an id that could forge lines is replaced"
    line = json.loads(next(record.getMessage() for record in caplog.records if "mine-1" in record.getMessage()))
    assert (line["status"], line["path"], line["caller"]) == (200, PATH, "anonymous")
    assert line["milliseconds"] > 0
    assert "123 + 456" not in caplog.text


def test_a_probe_at_work_takes_no_room_and_refusals_are_counted() -> None:
    """With room for one request: it is let in while a probe is at work, and a second one beside it is not."""
    metrics, statuses = Metrics(ModelRegistry((), lambda _: pytest.fail("no model"))), dict[str, int]()
    inside = {"/health": "/v1/models", "/v1/models": "/metrics"}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] in inside:
            await ask(inside[scope["path"]])
        await send({"type": "http.response.start", "status": 200, "headers": []})

    middleware = AccessMiddleware(app, Keys(), RequestLimits(max_requests=1), metrics)

    async def ask(path: str) -> None:
        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                statuses[path] = message["status"]

        await middleware({"type": "http", "method": "GET", "path": path, "headers": []}, cast("Any", None), send)

    asyncio.run(ask("/health"))
    assert statuses == {"/health": 200, "/v1/models": 200, "/metrics": 503}
    assert 'tuili_refused_total{model="",reason="too_many_requests"} 1.0' in metrics.text().decode()


@pytest.mark.parametrize("begun", [False, True])
def test_what_the_end_of_the_server_cuts_off_hears_why_if_it_has_heard_nothing(begun: bool) -> None:
    sent = list[Any]()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    async def main() -> None:
        metrics = Metrics(ModelRegistry((), lambda _: pytest.fail("no model")))
        middleware = AccessMiddleware(app, Keys(), RequestLimits(), metrics)
        scope = {"type": "http", "method": "GET", "path": "/v1/models", "headers": []}
        request = asyncio.create_task(middleware(scope, cast("Any", None), send))
        await asyncio.sleep(0.01)
        request.cancel()
        await request

    asyncio.run(main())
    assert [message.get("status") for message in sent] == ([200] if begun else [503, None])
    if not begun:
        assert json.loads(sent[-1]["body"])["error"]["code"] == "shutting_down"


def test_too_many_at_a_time_are_refused_but_probes_are_not() -> None:
    for server in running(Settings(limits=RequestLimits(max_requests=0)), folders=()):
        raw = server.client()._client
        refused = raw.get(f"{server.url}/v1/models")
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "too_many_requests")
        assert refused.headers["retry-after"] == "1"
        assert [raw.get(f"{server.url}{path}").status_code for path in ("/health", "/ready")] == [200, 200]


def test_pages_of_an_origin_that_is_allowed_may_ask_and_read_errors_too(narrow: Running) -> None:
    raw = narrow.client()._client
    asks = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,x-stainless-os"}
    allowed = raw.options(f"{narrow.url}{PATH}", headers={"origin": PAGE, **asks})
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, PAGE)
    assert allowed.headers["access-control-allow-headers"] == asks["access-control-request-headers"]
    assert "POST" in allowed.headers["access-control-allow-methods"]
    for path, status in (("/v1/models", 200), ("/nothing", 404), ("/v1/models?" + "x" * 3, 431)):
        headers = {"origin": PAGE, "x-long": "y" * (3000 if status == 431 else 1)}
        reply = raw.get(f"{narrow.url}{path}", headers=headers)
        assert (reply.status_code, reply.headers["access-control-allow-origin"]) == (status, PAGE)
        assert reply.headers["access-control-expose-headers"] == "X-Request-Id, Retry-After"
        assert reply.headers["x-request-id"]
    other = {"origin": "https://other.example"}
    assert raw.options(f"{narrow.url}{PATH}", headers=other | asks).status_code == 400
    assert "access-control-allow-origin" not in raw.get(f"{narrow.url}/v1/models", headers=other).headers


@pytest.mark.parametrize("origin", ["example.org", "https://example.org/", "https://*/x", "null", ""])
def test_what_is_no_origin_is_refused_at_the_start(origin: str) -> None:
    with pytest.raises(InputError, match="an origin is wanted"):
        serve.run(["nano"], allow_origin=["*", PAGE, origin])


def test_no_page_is_allowed_by_itself(server: Running) -> None:
    raw = server.client()._client
    preflight = {"origin": PAGE, "access-control-request-method": "POST"}
    assert raw.options(f"{server.url}{PATH}", headers=preflight).status_code == 405
    assert "access-control-allow-origin" not in raw.get(f"{server.url}/v1/models", headers={"origin": PAGE}).headers
