"""Errors in OpenAI's form, one for each kind that a client can meet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from tuili.engine.calibration import NotPromised
from tuili.engine.service import Closed
from tuili.errors import InputError, Overloaded, PromptError, TuiliError


@dataclass
class HttpError(Exception):
    """What goes over the wire: `{"error": {"message", "type", "param", "code"}}`.

    retry_after: seconds, as a header; None where asking again does not help.
    """

    status: int
    message: str
    code: str | None = None
    param: str | None = None
    retry_after: float | None = None

    @property
    def body(self) -> dict[str, Any]:
        """The body of the answer."""
        kind = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}.get(self.status)
        kind = kind or ("invalid_request_error" if self.status < 500 else "server_error")
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}

    @property
    def headers(self) -> dict[str, str]:
        """Its own headers."""
        return {} if self.retry_after is None else {"Retry-After": str(max(1, ceil(self.retry_after)))}


def of_engine(error: TuiliError) -> HttpError:
    """What the engine's errors mean to a client."""
    said = str(error)
    if isinstance(error, Overloaded):
        return HttpError(429, said, "overloaded", retry_after=error.retry_after)
    if isinstance(error, NotPromised):
        return HttpError(400, said, "not_promised", "budget.error_tolerance")
    if isinstance(error, PromptError):
        return HttpError(400, said, "context_length_exceeded" if "context" in said else "invalid_prompt", "messages")
    if isinstance(error, InputError):
        param = said.partition(" ")[0].rstrip(":")
        return HttpError(400, said, "invalid_value", param if param.isidentifier() or "." in param else None)
    if isinstance(error, Closed):
        return HttpError(503, said, "shutting_down", retry_after=5)
    return HttpError(500, said, "engine_failed")


def of_validation(errors: Sequence[Any], body: Any) -> HttpError:
    """The first thing that is wrong with a body, in one line."""
    first = errors[0]
    param = _place(first, body)
    said = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        return HttpError(400, f"{param}: unknown or not supported here", "unknown_parameter", param)
    if first["type"] == "json_invalid":
        return HttpError(400, f"the body is not JSON: {first.get('ctx', {}).get('error', said)}", "invalid_json")
    return HttpError(400, f"{param}: {said}" if param else said, "invalid_value", param)


def _place(error: Any, body: Any) -> str | None:
    """Where in the body something is wrong: the parts of its place that lead there, without the names of types."""
    found: list[str] = []
    for part in error["loc"][1:]:
        inside = (isinstance(body, dict) and part in body) or (isinstance(body, list) and isinstance(part, int))
        if inside:
            body = body[part]
        elif not (error["type"] == "missing" and part == error["loc"][-1]):
            continue
        found.append(str(part))
    return ".".join(found)[:200] or None
