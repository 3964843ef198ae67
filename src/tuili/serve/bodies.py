"""Reads the body of a request as one of the types in `schemas`. `request_body` limits its size and receive time."""

from __future__ import annotations

import json
import re
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request

from tuili.serve.connection import CLIENT_LEFT
from tuili.serve.errors import HttpError, from_validation_errors
from tuili.serve.json_bytes import decode

JSON_TYPE = re.compile(r"application/([\w.+-]+\+)?json\s*(;|$)", re.IGNORECASE)
MAX_TOLD_CHARS = 100
Body = TypeVar("Body", bound=BaseModel)


async def read_body(http: Request, kind: type[Body]) -> Body:
    """Read the body. Raises `HttpError` if it is not declared as JSON, is not JSON, or is not of this kind, or if the
    client disconnects before it has sent the whole body.
    """
    try:
        data = await http.body()
    except ClientDisconnect:
        raise HttpError(CLIENT_LEFT, "the client has left", "cancelled") from None
    content_type = http.headers.get("content-type", "")
    if not JSON_TYPE.match(content_type):
        given = f"it is {content_type[:MAX_TOLD_CHARS]}" if content_type else "there is none"
        message = f"the header Content-Type must be application/json, but {given}"
        raise HttpError(415, message, "unsupported_content_type")
    value = _decode(data) if data else None
    if value is None:
        raise from_validation_errors([{"type": "missing", "loc": ("body",), "msg": "Field required"}], None)
    try:
        return kind.model_validate(value, from_attributes=True)
    except ValidationError as error:
        told = [{**one, "loc": ("body", *one["loc"])} for one in error.errors(include_url=False)]
        raise from_validation_errors(told, value) from None


def _decode(data: bytes) -> Any:
    try:
        return decode(data)
    except json.JSONDecodeError as error:
        raise HttpError(400, f"the body is not JSON: {error.msg}", "invalid_json") from None
    except (ValueError, RecursionError):  # a wrong encoding, too many digits, or too many nested brackets
        raise HttpError(400, "the body is not JSON: it cannot be read", "invalid_json") from None
