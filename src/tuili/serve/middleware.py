"""Handles every request before and after its route: request ids, keys, limits on size, time and number, and one log
line and one count for each answer.

It is a plain ASGI middleware, because Starlette's base class reads a body whole or wraps streams in tasks.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from tuili.serve.errors import HttpError
from tuili.serve.ids import new_id
from tuili.serve.json_bytes import encode
from tuili.serve.keys import Caller, Keys
from tuili.serve.monitoring.metrics import Metrics
from tuili.serve.request_body import Headers, Message, Receive, RequestBody, RequestLimits

ACCESS_LOG, LOG = logging.getLogger("tuili.access"), logging.getLogger(__name__)
PROBE_PATHS = {"/health", "/ready"}
"""Probes need no key, and are exempt from the limit on the number of requests."""
PAGE_PATHS = re.compile(r"/|/page/[\w.-]+|/favicon\.ico")
"""The page needs no key: it contains no secret, and the requests that it sends need a key."""
COUNTED_PATHS = {"/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/models", "/v1/feedback"}
COUNTED_PATHS |= {"/v1/operator/alarms", "/v1/operator/alarms/reset", "/v1/operator/audit"}
"""Paths that metrics distinguish. All others count as one, so that a client cannot make metrics grow by inventing
paths."""
MAX_LOGGED_PATH_CHARS = 200
REQUEST_ID = re.compile(r"[\w.-]{1,64}")
"""Request ids that are accepted from clients. Any other could forge log lines, so a new one replaces it."""

Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


class AccessMiddleware:
    """Admits a request that respects the limits and has a known key if it needs one; logs and counts every answer."""

    def __init__(self, app: App, keys: Keys, limits: RequestLimits, metrics: Metrics) -> None:
        self._app, self._keys, self._limits, self._metrics = app, keys, limits, metrics
        self._at_work = 0

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status, response_started = time.perf_counter(), 500, False
        headers = {name.lower(): value for name, value in scope["headers"]}
        given_id = headers.get(b"x-request-id", b"").decode("latin-1")
        request_id = given_id if REQUEST_ID.fullmatch(given_id) else new_id()
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        body, refused = RequestBody(receive, headers, self._limits), False

        async def send_with_id(message: Message) -> None:
            nonlocal status, response_started
            if body.error is not None and not refused:  # the framework's answer to an incomplete body
                return
            if message["type"] == "http.response.start":
                status, response_started = message["status"], True
                message["headers"] = [*message.get("headers", []), (b"x-request-id", request_id.encode())]
            await send(message)

        error: HttpError | None = None
        counts = scope["path"] not in PROBE_PATHS
        self._at_work += counts
        try:
            try:
                self._check_limits(scope, headers, body)
                state["caller"] = self._caller(scope["path"], headers)
                await self._app(scope, body.receive, send_with_id)
            except HttpError as refusal:
                error = refusal
            except asyncio.CancelledError:  # by uvicorn, when the time for graceful shutdown is over
                error = HttpError(503, "the server is shutting down", "shutting_down", retry_after=5)
            except Exception:
                LOG.exception("an error inside the server")
                error = HttpError(500, "an error inside the server; its log has it", "server_error")
            error, refused = body.error or error, True
            if error is not None and error.status != 500:
                self._metrics.refused.labels(state.get("model", ""), error.code or "other").inc()
            if error is not None and not response_started:
                await body.drop_rest()
                await _send_error(error, send_with_id)
        finally:
            self._at_work -= counts
            self._record(scope, request_id, status, time.perf_counter() - start)

    def _record(self, scope: MutableMapping[str, Any], request_id: str, status: int, seconds: float) -> None:
        """Count an answer and log it in one line."""
        state, path = scope["state"], scope["path"]
        caller, model = state.get("caller"), state.get("model", "")
        endpoint = path if path in COUNTED_PATHS else "other"
        self._metrics.requests.labels(model, endpoint, str(status)).inc()
        self._metrics.request_seconds.labels(model, endpoint).observe(seconds)
        line = {
            "request_id": request_id,
            "method": scope["method"],
            "path": path[:MAX_LOGGED_PATH_CHARS],
            "status": status,
            "milliseconds": round(1000 * seconds, 3),
            "caller": caller.name if caller is not None else None,
        }
        ACCESS_LOG.info(encode(line).decode())

    def _check_limits(self, scope: MutableMapping[str, Any], headers: Headers, body: RequestBody) -> None:
        """Raise `HttpError` if there are too many requests, or if the headers or the announced body are too large."""
        limits = self._limits
        if self._at_work > limits.max_requests and scope["path"] not in PROBE_PATHS:
            raise HttpError(503, f"{limits.max_requests} requests are at work", "too_many_requests", retry_after=1)
        header_bytes = sum(len(name) + len(value) for name, value in scope["headers"])
        if len(scope["headers"]) > limits.max_headers or header_bytes > limits.max_header_bytes:
            message = f"at most {limits.max_headers} headers of {limits.max_header_bytes} bytes in all"
            raise HttpError(431, message, "headers_too_large")
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length[:20]) > limits.max_body_bytes:
            raise body.too_large

    def _caller(self, path: str, headers: Headers) -> Caller | None:
        """The caller of a request; None for paths that need no key. Raises `HttpError` if a required key is missing or
        unknown.
        """
        if path in PROBE_PATHS or PAGE_PATHS.fullmatch(path):
            return None
        authorization, api_key = (headers.get(name, b"").decode("latin-1") for name in (b"authorization", b"x-api-key"))
        return self._keys.authenticate(authorization, api_key)


async def _send_error(error: HttpError, send: Send) -> None:
    body = encode(error.body)
    headers = {
        "content-type": "application/json",
        "content-length": str(len(body)),
        "connection": "close",
        **error.headers,
    }
    encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": error.status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})
