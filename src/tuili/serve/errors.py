"""Errors in the format of OpenAI's API: converts errors of the engine, and of reading a body, to HTTP errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from tuili.engine import Budget, Closed, NotPromised, Sampling
from tuili.errors import InputError, Overloaded, PromptError, PromptTooLong, TuiliError
from tuili.serve.schemas.fields import UNSUPPORTED
from tuili.serve.schemas.replies import Error, ErrorType

ENGINE_FIELDS = {"depth", "max_completion_tokens", *Sampling.model_fields}
"""Fields outside the budget with which the engine's error messages may begin."""
ERROR_TYPES: Mapping[int, ErrorType] = {
    401: "authentication_error",
    403: "permission_error",
    429: "rate_limit_error",
}
"""The type of an error by its status, unless it has the general type of client errors or of server errors."""


@dataclass
class HttpError(Exception):
    """An error with a status, and with a body of the form `{"error": {"message", "type", "param", "code"}}`.

    param: the invalid field. retry_after: seconds, sent as a header; None if retrying does not help.
    """

    status: int
    message: str
    code: str | None = None
    param: str | None = None
    retry_after: float | None = None

    @property
    def body(self) -> Error:
        """The body of the reply."""
        error_type = ERROR_TYPES.get(self.status, "invalid_request_error" if self.status < 500 else "server_error")
        return {"error": {"message": self.message, "type": error_type, "param": self.param, "code": self.code}}

    @property
    def headers(self) -> dict[str, str]:
        """The headers that belong to the error."""
        headers = {"WWW-Authenticate": "Bearer"} if self.status == 401 else {}
        if self.retry_after is not None:
            headers["Retry-After"] = str(max(1, ceil(self.retry_after)))
        return headers


def from_engine_error(error: TuiliError, prompt_field: str = "messages") -> HttpError:
    """Convert an error of the engine. `prompt_field`: the request field that contains the question."""
    message = str(error)
    if isinstance(error, Overloaded):
        return HttpError(429, message, "overloaded", retry_after=error.retry_after)
    if isinstance(error, NotPromised):
        return HttpError(400, message, "not_promised", "budget.error_tolerance")
    if isinstance(error, PromptError):
        code = "context_length_exceeded" if isinstance(error, PromptTooLong) else "invalid_prompt"
        return HttpError(400, message, code, prompt_field)
    if isinstance(error, InputError):
        return HttpError(400, message, "invalid_value", _leading_field(message))
    if isinstance(error, Closed):
        return HttpError(503, message, "shutting_down", retry_after=5)
    return HttpError(500, message, "engine_failed")


def _leading_field(message: str) -> str | None:
    """The field with which a message begins, by its name in a request; None if it begins with none."""
    word = message.partition(" ")[0].rstrip(":")
    if word in Budget.model_fields:
        return f"budget.{word}"
    return word if word in ENGINE_FIELDS or "." in word else None


def from_validation_errors(errors: Sequence[Any], body: Any) -> HttpError:
    """Report the first error in a body, in one line. If the body may have one of several forms, the error is that of
    the form that matches furthest into the body.
    """
    first = max(errors, key=lambda error: len(error["loc"]) if error["loc"][:2] == errors[0]["loc"][:2] else 0)
    param = _param(first, body)
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        return HttpError(400, f"{param}: unknown or not supported here", "unknown_parameter", param)
    if first["type"] == UNSUPPORTED:
        return HttpError(400, f"{param}: {message}", "unsupported_parameter", param)
    if first["type"] == "json_invalid":
        return HttpError(400, f"the body is not JSON: {first.get('ctx', {}).get('error', message)}", "invalid_json")
    if param is None and isinstance(body, dict):  # a rule about several fields: its message begins with one of them
        word = message.partition(" ")[0].rstrip(":")
        return HttpError(400, message, "invalid_value", word if word in body else None)
    return HttpError(400, f"{param}: {message}" if param else message, "invalid_value", param)


def _param(error: Any, body: Any) -> str | None:
    """The place in the body to which an error refers, such as `messages.0.role`. pydantic includes type names in its
    places; they are left out.
    """
    path: list[str] = []
    for part in error["loc"][1:]:
        inside = (isinstance(body, dict) and part in body) or (isinstance(body, list) and isinstance(part, int))
        if inside:
            body = body[part]
        elif not (error["type"] == "missing" and part == error["loc"][-1]):
            continue
        path.append(str(part))
    return ".".join(path)[:200] or None
