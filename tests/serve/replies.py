"""Holds what a server has sent against the types in `tuili.serve.schemas`, more strictly than its OpenAPI
document does: no field may be there that they do not name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import ConfigDict, TypeAdapter

from tuili.serve.schemas.openapi import KINDS, ROUTES, Answers


@cache
def adapter(kind: str) -> TypeAdapter[Any]:
    """Takes a list of one, for a configuration is handed down to the types inside alone."""
    return TypeAdapter(list[KINDS[kind]], config=ConfigDict(extra="forbid", strict=True))  # type: ignore[misc]


def check_kind(kind: str, body: bytes | str) -> None:
    """Raise for JSON that is not of a kind."""
    adapter(kind).validate_json(b"[%b]" % (body if isinstance(body, bytes) else body.encode()))


def check_reply(method: str, path: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
    """Raise for an answer to `method` and `path`, as the document writes them, that is not as it is declared."""
    answers = ROUTES[method.lower(), path]
    kind = headers["content-type"].partition(";")[0]
    assert headers["x-request-id"]
    if status in (answers.status, *answers.also):
        if kind == "text/event-stream":
            check_stream(answers, body.decode())
        elif answers.text:
            assert kind == "text/plain"
        else:
            assert kind == "application/json"
            check_kind(answers.whole, body)
        return
    assert status in (*answers.errors, 405), f"{status} is not declared"
    assert kind == "application/json"
    check_kind("Error", body)
    assert ("retry-after" in headers) == (status in (429, 503))
    assert ("www-authenticate" in headers) == (status == 401)
    assert ("allow" in headers) == (status == 405)


def check_stream(answers: Answers, text: str) -> None:
    """A stream must be whole: to the mark of its end, or to the event that has the response."""
    blocks = text.removesuffix("\n\n").split("\n\n")
    events = [dict(line.split(": ", 1) for line in block.split("\n")) for block in blocks]
    if answers.named:
        assert all(event["event"] == json.loads(event["data"])["type"] for event in events)
        assert events[-1]["event"] in ("response.completed", "response.incomplete")
        numbers = [json.loads(event["data"])["sequence_number"] for event in events]
        assert numbers == list(range(len(events)))
    else:
        assert events.pop() == {"data": "[DONE]"}
    assert events
    for event in events:
        check_kind(answers.stream, event["data"])
