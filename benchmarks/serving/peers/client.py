"""Clients of a closed loop that take little of the processor, so that the server, not they, is measured.

They look for what ends a streamed answer and for its first token in the bytes as they come, and parse nothing else.
`tuili.bench.run_load`, which reads every event, takes longer over a token than the servers that are measured here.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Sequence
from itertools import count
from urllib.parse import urlsplit

from tuili.bench import LoadSettings, RequestResult

HEAD_END, STREAM_END = b"\r\n\r\n", b"\r\n0\r\n\r\n"
CONTENT = re.compile(rb'"(?:reasoning_)?content": ?"[^"]')
"""Text that is not empty."""
USAGE = re.compile(rb'"completion_tokens": ?(\d+)')
LENGTH = re.compile(rb"content-length: ?(\d+)", re.IGNORECASE)
KEPT_BYTES = 4096
"""Of an answer, its last ones; the usage and the end stand among them."""


async def run_lean_load(settings: LoadSettings, questions: Sequence[str]) -> list[RequestResult]:
    """Ask the questions in turns from `settings.clients` connections for so many seconds, then wait for the rest."""
    results: list[RequestResult] = []
    numbers, start = count(), time.perf_counter()

    async def ask_on() -> None:
        client = _Client(settings)
        while time.perf_counter() < start + settings.seconds:
            results.append(await client.ask(questions[next(numbers) % len(questions)], start))
        client.close()

    await asyncio.gather(*(ask_on() for _ in range(settings.clients or 1)))
    return results


class _Client(asyncio.Protocol):
    """One connection, which is opened again where the server has closed it."""

    def __init__(self, settings: LoadSettings) -> None:
        self._settings = settings
        parts = urlsplit(settings.url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._transport: asyncio.Transport | None = None
        self._answered: asyncio.Future[None] | None = None
        self._begin()

    def _begin(self) -> None:
        self._head, self._tail, self._left, self._status = b"", b"", -1, 0
        self._first: float | None = None

    async def ask(self, question: str, start: float) -> RequestResult:
        """Ask one question, whose answer is streamed. A connection that turns out to be closed is opened again."""
        begun, used = time.perf_counter(), self._transport is not None
        await self._exchange(self._request(question))
        if used and not self._head:
            await self._exchange(self._request(question))
        now, found = time.perf_counter(), USAGE.findall(self._tail)
        first = now if self._first is None and self._status == 200 else self._first
        tokens = int(found[-1]) if found else 0
        return RequestResult(self._status, now - begun, now - start, first and first - begun, tokens)

    async def _exchange(self, request: bytes) -> None:
        """Send a request and wait until it is answered, or until the connection is lost."""
        loop = asyncio.get_running_loop()
        self._begin()
        self._answered = loop.create_future()
        try:
            if self._transport is None:
                self._transport, _ = await loop.create_connection(lambda: self, self._host, self._port)
            self._transport.write(request)
            await self._answered
        except OSError:
            self._status = 0

    def _request(self, question: str) -> bytes:
        body = json.dumps(
            {
                "model": self._settings.model,
                "messages": [{"role": "user", "content": question}],
                "max_tokens": self._settings.max_tokens,
                "stream": True,
                "stream_options": {"include_usage": True},
            }
        ).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: {self._host}:{self._port}\r\n"
        head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        return head.encode() + body

    def data_received(self, data: bytes) -> None:
        """Take bytes of an answer."""
        if self._status == 0:
            self._head += data
            if HEAD_END not in self._head:
                return
            head, _, data = self._head.partition(HEAD_END)
            self._status = int(head.split(maxsplit=2)[1])
            length = LENGTH.search(head)
            self._left = int(length[1]) if length else -1
        if self._first is None and CONTENT.search(data):
            self._first = time.perf_counter()
        self._tail = (self._tail + data)[-KEPT_BYTES:]
        if self._left >= 0:
            self._left -= len(data)
        if self._left == 0 or (self._left < 0 and self._tail.endswith(STREAM_END)):
            self._end()

    def connection_lost(self, error: Exception | None) -> None:
        """An answer that has not ended has failed, unless its end is all that was missing."""
        self._transport = None
        if self._answered is not None and not self._answered.done():
            if b"[DONE]" not in self._tail:
                self._status = 0
            self._end()

    def _end(self) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_result(None)

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()
