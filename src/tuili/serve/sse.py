"""Server-sent events: how a stream of JSON goes over the wire."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

from fastapi.responses import StreamingResponse

from tuili.serve.errors import HttpError

HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""No cache keeps a stream, and no proxy collects it before it passes it on."""


def sse_response(events: AsyncGenerator[Mapping[str, Any], None], *, named: bool = False) -> StreamingResponse:
    """A reply that streams these events; see `encode_events`."""
    return StreamingResponse(encode_events(events, named=named), media_type="text/event-stream", headers=HEADERS)


async def encode_events(events: AsyncGenerator[Mapping[str, Any], None], *, named: bool = False) -> AsyncIterator[str]:
    """Each event as text. With `named`, an event is named by its `type`; otherwise events have no names, and `[DONE]`
    ends them. An `HttpError` in their midst becomes the last event.
    """
    sent = 0
    async with aclosing(events):
        try:
            async for event in events:
                sent += 1
                yield (f"event: {event['type']}\n" if named else "") + f"data: {_json(event)}\n\n"
            if not named:
                yield "data: [DONE]\n\n"
        except HttpError as error:
            body = error.body if not named else {**error.body["error"], "type": "error", "sequence_number": sent}
            yield ("event: error\n" if named else "") + f"data: {_json(body)}\n\n"


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
