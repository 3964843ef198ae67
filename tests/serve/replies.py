"""Checks what a server has sent against the types in `tuili.serve.schemas`, more strictly than the OpenAPI document
does: fields that the types do not name are wrong.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import ConfigDict, TypeAdapter

from tuili.serve.schemas.openapi import REPLY_TYPES, ROUTE_REPLIES, RouteReplies


@cache
def adapter(type_name: str) -> TypeAdapter[Any]:
    """Validates a list of one value of this type: a configuration reaches only the types inside another one."""
    return TypeAdapter(list[REPLY_TYPES[type_name]], config=ConfigDict(extra="forbid", strict=True))  # type: ignore[misc]


def check_type(type_name: str, body: bytes | str) -> None:
    """Raise for JSON that is not of the type that the document has by this name."""
    adapter(type_name).validate_json(b"[%b]" % (body if isinstance(body, bytes) else body.encode()))


def check_reply(method: str, path: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
    """Raise for a reply that is not as it is declared. `path` is written as in the document."""
    declared = ROUTE_REPLIES[method.lower(), path]
    media_type = headers["content-type"].partition(";")[0]
    assert headers["x-request-id"]
    if status in (declared.status, *declared.also):
        if media_type == "text/event-stream":
            check_stream(declared, body.decode())
        elif declared.text:
            assert media_type == "text/plain"
        else:
            assert media_type == "application/json"
            check_type(declared.json, body)
        return
    assert status in (*declared.errors, 405), f"{status} is not declared"
    assert media_type == "application/json"
    check_type("Error", body)
    assert ("retry-after" in headers) == (status in (429, 503))
    assert ("www-authenticate" in headers) == (status == 401)
    assert ("allow" in headers) == (status == 405)


def check_stream(declared: RouteReplies, text: str) -> None:
    """Raise for a stream that is not complete, up to the mark of its end or the event with the whole response."""
    blocks = text.removesuffix("\n\n").split("\n\n")
    events = [dict(line.split(": ", 1) for line in block.split("\n")) for block in blocks]
    if declared.named:
        assert all(event["event"] == json.loads(event["data"])["type"] for event in events)
        assert events[-1]["event"] in ("response.completed", "response.incomplete")
        numbers = [json.loads(event["data"])["sequence_number"] for event in events]
        assert numbers == list(range(len(events)))
    else:
        assert events.pop() == {"data": "[DONE]"}
    assert events
    for event in events:
        check_type(declared.stream, event["data"])
