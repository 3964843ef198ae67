"""Errors in OpenAI's form, one for each kind that a client can meet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from tuili.engine import Budget, Closed, NotPromised, Sampling
from tuili.errors import InputError, Overloaded, PromptError, TuiliError
from tuili.serve.schemas.replies import Error, Kind

FIELDS = {"depth", "max_completion_tokens", *Sampling.model_fields}
"""Fields that the engine may refuse by name, beside those of the budget."""
KINDS: Mapping[int, Kind] = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


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
    def body(self) -> Error:
        """The body of the answer."""
        kind = KINDS.get(self.status, "invalid_request_error" if self.status < 500 else "server_error")
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}

    @property
    def headers(self) -> dict[str, str]:
        """Its own headers."""
        found = {"WWW-Authenticate": "Bearer"} if self.status == 401 else {}
        if self.retry_after is not None:
            found["Retry-After"] = str(max(1, ceil(self.retry_after)))
        return found


def of_engine(error: TuiliError, prompt: str = "messages") -> HttpError:
    """What the engine's errors mean to a client, who calls the question `prompt`."""
    said = str(error)
    if isinstance(error, Overloaded):
        return HttpError(429, said, "overloaded", retry_after=error.retry_after)
    if isinstance(error, NotPromised):
        return HttpError(400, said, "not_promised", "budget.error_tolerance")
    if isinstance(error, PromptError):
        return HttpError(400, said, "context_length_exceeded" if "context" in said else "invalid_prompt", prompt)
    if isinstance(error, InputError):
        return HttpError(400, said, "invalid_value", _named_first(said))
    if isinstance(error, Closed):
        return HttpError(503, said, "shutting_down", retry_after=5)
    return HttpError(500, said, "engine_failed")


def _named_first(said: str) -> str | None:
    """The field that a message begins with, if it does, by its name in a request."""
    word = said.partition(" ")[0].rstrip(":")
    if word in Budget.model_fields:
        return f"budget.{word}"
    return word if word in FIELDS or "." in word else None


def of_validation(errors: Sequence[Any], body: Any) -> HttpError:
    """The first thing that is wrong with a body, in one line; where one of several forms is wanted, by the one that was
    come closest to.
    """
    first = max(errors, key=lambda error: len(error["loc"]) if error["loc"][:2] == errors[0]["loc"][:2] else 0)
    param = _place(first, body)
    said = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        return HttpError(400, f"{param}: unknown or not supported here", "unknown_parameter", param)
    if first["type"] == "json_invalid":
        return HttpError(400, f"the body is not JSON: {first.get('ctx', {}).get('error', said)}", "invalid_json")
    if param is None and isinstance(body, dict):  # what holds between fields begins with the name of one
        word = said.partition(" ")[0].rstrip(":")
        return HttpError(400, said, "invalid_value", word if word in body else None)
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
