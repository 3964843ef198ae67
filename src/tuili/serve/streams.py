"""Sends a stream of JSON as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing
from typing import Any, Protocol

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tuili.engine import Event
from tuili.serve.connection import CLIENT_LEFT, WhileConnected
from tuili.serve.errors import HttpError
from tuili.serve.json_bytes import encode

HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""No cache stores a stream, and no proxy buffers it."""
Json = Mapping[str, Any]
Batches = AsyncGenerator[list[tuple[int, Event]], None]
"""Events as they arrive, each list with all that are available at one time; see `Dispatcher.batches`."""


class Told(Protocol):
    """What a stream sends to its client. If `named`, an event on the wire is named by its `type`; otherwise events have
    no names, and `[DONE]` ends them.
    """

    named: bool

    def of_event(self, index: int, event: Event) -> Iterable[Json]:
        """What it sends for an event of the request with this index."""

    def at_end(self) -> Iterable[Json]:
        """What it sends at the end."""


class EventStream(Response):
    """A streamed reply. Events that are available at one time are sent together.

    The reply has no status until there is something to send, so that a refused request gets the status of its error.
    An `HttpError` after that becomes the last event.
    """

    def __init__(self, batches: Batches, told: Told) -> None:
        super().__init__(media_type="text/event-stream", headers=HEADERS)
        del self.headers["content-length"]
        self._blocks = encode_events(batches, told)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the reply. It ends if the client disconnects."""
        started = False
        try:
            async with WhileConnected(receive), aclosing(self._blocks) as blocks:
                async for block in blocks:
                    if not started:
                        headers = self.raw_headers
                        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
                        started = True
                    await send({"type": "http.response.body", "body": block, "more_body": True})
        except HttpError as error:
            if started and error.status == CLIENT_LEFT:
                return
            raise
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def encode_events(batches: Batches, told: Told) -> AsyncGenerator[bytes, None]:
    """Encode what `told` sends, in blocks of whole events."""
    encode_event, sent = _named_event if told.named else _unnamed_event, 0
    async with aclosing(batches):
        try:
            async for batch in batches:
                events = [encode_event(one) for index, event in batch for one in told.of_event(index, event)]
                sent += len(events)
                if events:
                    yield b"".join(events)
            yield b"".join(map(encode_event, told.at_end())) + (b"" if told.named else b"data: [DONE]\n\n")
        except HttpError as error:
            if not sent:
                raise
            body = {**error.body["error"], "type": "error", "sequence_number": sent} if told.named else error.body
            yield encode_event(body)


def _unnamed_event(event: Json) -> bytes:
    return b"data: %b\n\n" % encode(event)


def _named_event(event: Json) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), encode(event))
