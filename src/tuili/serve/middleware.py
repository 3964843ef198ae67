"""What stands before every route: request ids, keys, the size of a body and of headers, the time a request may take to
come in, and one line of log for each answer.

An ASGI middleware of its own, because the usual ones read a body whole or wrap streams in tasks.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from tuili.serve.errors import HttpError
from tuili.serve.keys import Keys
from tuili.serve.metrics import Metrics

ACCESS, LOG = logging.getLogger("tuili.access"), logging.getLogger(__name__)
OPEN = {"/health", "/ready"}
"""Probes need no key."""
PAGE = re.compile(r"/|/page/[\w.-]+|/favicon\.ico")
"""Nor does the page, which holds no secret; what it asks for does."""
COUNTED = {"/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/models", "/v1/feedback"}
"""Endpoints with figures of their own, so that nobody can make up more."""
LONGEST_PATH = 200
ID = re.compile(r"[\w.-]{1,64}")

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


@dataclass(frozen=True)
class Limits:
    """Largest body in bytes, most headers, their bytes in all, seconds for a body to come in, and requests at a time,
    probes not among them.
    """

    body: int = 1_000_000
    headers: int = 100
    header_bytes: int = 16_384
    seconds: float = 30.0
    requests: int = 1024


class Guard:
    """Lets through what keeps to the limits and has a known key."""

    def __init__(self, app: App, keys: Keys, limits: Limits, metrics: Metrics) -> None:
        self._app, self._keys, self._limits, self._metrics = app, keys, limits, metrics
        self._at_work = 0

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status, begun_to_answer = time.perf_counter(), 500, False
        headers = {name.lower(): value for name, value in scope["headers"]}
        asked = headers.get(b"x-request-id", b"").decode("latin-1")
        name = asked if ID.fullmatch(asked) else uuid.uuid4().hex
        state = scope.setdefault("state", {})
        state["request_id"] = name

        async def told(message: Message) -> None:
            nonlocal status, begun_to_answer
            if state.get("broken") is not None:  # what was made of a body that never came whole
                return
            if message["type"] == "http.response.start":
                status, begun_to_answer = message["status"], True
                message["headers"] = [*message.get("headers", []), (b"x-request-id", name.encode())]
            await send(message)

        error: HttpError | None = None
        self._at_work += 1
        try:
            try:
                self._check(scope, headers)
                state["caller"] = self._caller(scope["path"], headers)
                await self._app(scope, self._limited(receive, state), told)
            except HttpError as found:
                error = found
            except Exception:
                LOG.exception("an error inside the server")
                error = HttpError(500, "an error inside the server; its log has it", "server_error")
            error = state.pop("broken", error)
            if error is not None and not begun_to_answer:
                await _refuse(error, told)
        finally:
            self._at_work -= 1
            caller, path = state.get("caller"), scope["path"]
            model, seconds = state.get("model", ""), time.perf_counter() - begun
            endpoint = path if path in COUNTED else "other"
            self._metrics.requests.labels(model, endpoint, str(status)).inc()
            self._metrics.seconds.labels(model, endpoint).observe(seconds)
            ACCESS.info(
                json.dumps(
                    {
                        "request_id": name,
                        "method": scope["method"],
                        "path": path[:LONGEST_PATH],
                        "status": status,
                        "milliseconds": round(1000 * seconds, 3),
                        "caller": caller.name if caller is not None else None,
                    }
                )
            )

    def _check(self, scope: MutableMapping[str, Any], headers: dict[bytes, bytes]) -> None:
        """Refuse what is too large by its own word."""
        limits = self._limits
        if self._at_work > limits.requests and scope["path"] not in OPEN:
            raise HttpError(503, f"{limits.requests} requests are at work", "too_many_requests", retry_after=1)
        size = sum(len(name) + len(value) for name, value in scope["headers"])
        if len(scope["headers"]) > limits.headers or size > limits.header_bytes:
            raise HttpError(
                431, f"at most {limits.headers} headers of {limits.header_bytes} bytes in all", "headers_too_large"
            )
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length[:20]) > limits.body:
            raise HttpError(413, f"the body may have at most {limits.body} bytes", "body_too_large")

    def _caller(self, path: str, headers: dict[bytes, bytes]) -> Any:
        if path in OPEN or PAGE.fullmatch(path):
            return None
        header = headers.get(b"authorization")
        return self._keys.caller(None if header is None else header.decode("latin-1"))

    def _limited(self, receive: Receive, state: dict[str, Any]) -> Receive:
        """A body that may be neither longer nor slower than the limits say. What is wrong is noted in `state`, for
        frameworks take any error of reading for one of their own kind.
        """
        seen, until, whole = 0, time.monotonic() + self._limits.seconds, False

        async def limited() -> Message:
            nonlocal seen, whole
            if whole:  # waits for the client to leave
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), max(0.0, until - time.monotonic()))
            except TimeoutError:
                said = f"the body has not come within {self._limits.seconds:g} s"
                state["broken"] = HttpError(408, said, "body_too_slow")
                raise state["broken"] from None
            if message["type"] == "http.request":
                seen += len(message.get("body", b""))
                whole = not message.get("more_body", False)
                if seen > self._limits.body:
                    said = f"the body may have at most {self._limits.body} bytes"
                    state["broken"] = HttpError(413, said, "body_too_large")
                    raise state["broken"]
            return message

        return limited


async def _refuse(error: HttpError, send: Send) -> None:
    body = json.dumps(error.body).encode()
    headers = {
        "content-type": "application/json",
        "content-length": str(len(body)),
        "connection": "close",
        **error.headers,
    }
    own = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": error.status, "headers": own})
    await send({"type": "http.response.body", "body": body})
