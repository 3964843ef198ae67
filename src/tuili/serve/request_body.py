"""Receives the body of one request, within limits on size and time. After a refusal, the rest of the body is read and
dropped, within bounds: a connection that is closed with unread bytes is reset, and then a client that is still sending
may never read why it was refused.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tuili.serve.errors import HttpError

Message = MutableMapping[str, Any]
Headers = Mapping[bytes, bytes]
Receive = Callable[[], Awaitable[Message]]


@dataclass(frozen=True)
class RequestLimits:
    """The limits of a request: bytes of the body, number and total bytes of the headers, and seconds until the body is
    complete. max_requests: concurrent requests, excluding probes. dropped_bytes, dropping_seconds: how much of the body
    of a refused request is read, and for how long.
    """

    max_body_bytes: int = 1_000_000
    max_headers: int = 100
    max_header_bytes: int = 16_384
    body_seconds: float = 30.0
    max_requests: int = 1024
    dropped_bytes: int = 4_000_000
    dropping_seconds: float = 1.0


class RequestBody:
    """Reads one body from `source`."""

    def __init__(self, source: Receive, headers: Headers, limits: RequestLimits) -> None:
        self._source, self._limits = source, limits
        self._deadline = time.monotonic() + limits.body_seconds
        self._received, self._complete = 0, False
        length = headers.get(b"content-length", b"0")
        self._announced = b"transfer-encoding" in headers or length.strip(b"0") != b""
        self._length = int(length[:20]) if length.isdigit() else 0
        self._waits_for_leave = b"expect" in headers
        self.error: HttpError | None = None
        """Why the body is refused. The answer is the same, however the reader of the body handles the error."""

    @property
    def too_large(self) -> HttpError:
        """The error for a body that is too long."""
        return HttpError(413, f"the body may have at most {self._limits.max_body_bytes} bytes", "body_too_large")

    async def receive(self) -> Message:
        """Receive the next piece. Raises `HttpError` if a limit is exceeded."""
        if self._complete:  # only a disconnect can still come
            return await self._source()
        try:
            message = await asyncio.wait_for(self._source(), max(0.0, self._deadline - time.monotonic()))
        except TimeoutError:
            self._complete = True  # nobody waits for the rest
            text = f"the body has not come within {self._limits.body_seconds:g} s"
            self.error = HttpError(408, text, "body_too_slow")
            raise self.error from None
        self._count(message)
        if self._received > self._limits.max_body_bytes:
            self.error = self.too_large
            raise self.error
        return message

    async def drop_rest(self) -> None:
        """Read and drop the rest of the body, if it may end within the bounds. A client that waits for permission to
        send its body gets none.
        """
        most = self._received + self._limits.dropped_bytes
        if not self._announced or self._length > most or (self._waits_for_leave and not self._received):
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(self._limits.dropping_seconds):
                while not self._complete and self._received <= most:
                    self._count(await self._source())

    def _count(self, message: Message) -> None:
        self._received += len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
