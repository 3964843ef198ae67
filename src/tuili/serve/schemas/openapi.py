"""The OpenAPI document: what each route answers, in every status. It is made when it is asked for, and costs nothing at
the start. What clients may send comes from the routes themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter

from tuili.serve.middleware import OPEN
from tuili.serve.schemas import items, replies

Json = dict[str, Any]
REF = "#/components/schemas/"
VERSION = "3.2.0"
"""The first that can say what the events of a stream look like."""

KINDS: Mapping[str, Any] = {
    "ChatCompletion": replies.ChatCompletion,
    "ChatChunk": replies.ChatChunk,
    "TextCompletion": replies.TextCompletion,
    "Response": items.Response,
    "ResponseEvent": items.Event,
    "FeedbackTaken": replies.FeedbackTaken,
    "ModelList": replies.ModelList,
    "Model": replies.Model,
    "Health": replies.Health,
    "Readiness": replies.Readiness,
    "Error": replies.Error,
}
"""Whatever is sent, by its name in the document."""

ALWAYS = (413, 431, 500)
KEYED = (401, 503, *ALWAYS)
READ = (400, 408, 429, *KEYED)
ASKED = (404, *READ)
"""Errors of probes; of what needs a key; of what reads a body; of what asks a model."""
MEANING: Mapping[int, str] = {
    200: "The answer",
    202: "Taken",
    400: "Something is wrong with the body; `param` says where",
    401: "The API key is missing or unknown",
    404: "No such model",
    408: "The body came too slowly",
    413: "The body is too large",
    429: "Too many requests, or a quota is spent",
    431: "Too many or too large headers",
    500: "An error inside, which the log has",
    503: "Not now: models are being loaded, too many requests are at work, or the server is shutting down",
}
RETRY = {
    "description": "Seconds after which to ask again.",
    "required": True,
    "schema": {"type": "integer", "minimum": 1},
}
REQUEST_ID = {"description": "The id of the request, as in the log.", "required": True, "schema": {"type": "string"}}
CHALLENGE = {"description": "How to say who asks.", "required": True, "schema": {"type": "string"}}
ABOUT = """OpenAI's API, with budgets in requests and receipts in answers. A method that a path does not take is told
by 405 and an error in the same form."""


@dataclass(frozen=True)
class Answers:
    """What a route answers: `whole` as JSON, or `stream` as server-sent events, or plain `text`; and its errors."""

    whole: str = ""
    stream: str = ""
    named: bool = False
    text: bool = False
    status: int = 200
    errors: tuple[int, ...] = KEYED
    also: tuple[int, ...] = ()
    """Statuses other than errors that come with the same body."""


ROUTES: Mapping[tuple[str, str], Answers] = {
    ("post", "/v1/chat/completions"): Answers("ChatCompletion", "ChatChunk", errors=ASKED),
    ("post", "/v1/completions"): Answers("TextCompletion", "TextCompletion", errors=ASKED),
    ("post", "/v1/responses"): Answers("Response", "ResponseEvent", named=True, errors=ASKED),
    ("post", "/v1/feedback"): Answers("FeedbackTaken", status=202, errors=READ),
    ("get", "/v1/models"): Answers("ModelList"),
    ("get", "/v1/models/{name}"): Answers("Model", errors=(404, *KEYED)),
    ("get", "/health"): Answers("Health", errors=ALWAYS),
    ("get", "/ready"): Answers("Readiness", errors=ALWAYS, also=(503,)),
    ("get", "/metrics"): Answers(text=True),
}


def document(app: FastAPI, keys_needed: bool) -> Json:
    """The document of an application; `keys_needed` says whether it has keys."""
    if app.openapi_schema is None:
        made = get_openapi(
            title=app.title, version=app.version, openapi_version=VERSION, description=ABOUT, routes=app.routes
        )
        parts = made["components"]
        for path, operations in made["paths"].items():
            for method, operation in operations.items():
                operation["responses"] = _responses(ROUTES[method, path])
                if path not in OPEN:
                    operation["security"] = [{"bearer": []}] if keys_needed else [{}, {"bearer": []}]
        for name in ("HTTPValidationError", "ValidationError"):  # of FastAPI, whose 422 is a 400 here
            parts["schemas"].pop(name, None)
        sent = _schemas()
        assert not sent.keys() & parts["schemas"].keys(), "types of requests and of answers must differ in name"
        parts["schemas"] |= sent
        parts["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
        app.openapi_schema = made
    return app.openapi_schema


def _responses(answers: Answers) -> Json:
    """Every status of a route."""
    content: Json = {}
    if answers.whole:
        content["application/json"] = {"schema": {"$ref": REF + answers.whole}}
    if answers.stream:
        content["text/event-stream"] = {"itemSchema": _event(answers)}
    if answers.text:
        content["text/plain"] = {"schema": {"type": "string"}}
    found = dict.fromkeys((answers.status, *answers.also), content)
    found |= {status: {"application/json": {"schema": {"$ref": REF + "Error"}}} for status in answers.errors}
    return {str(status): _response(status, found[status], status in answers.errors) for status in sorted(found)}


def _response(status: int, content: Json, error: bool) -> Json:
    headers: Json = {"X-Request-Id": REQUEST_ID}
    if error and status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        headers["Retry-After"] = RETRY
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = CHALLENGE
    return {"description": MEANING[status], "headers": headers, "content": content}


def _event(answers: Answers) -> Json:
    """A server-sent event: JSON in its data, or the mark of the end."""
    error = {"$ref": REF + "Error"}
    told = {"$ref": REF + answers.stream}
    data: Json = {"type": "string", "contentMediaType": "application/json"}
    if answers.named:
        data["contentSchema"] = told
        return {
            "type": "object",
            "required": ["event", "data"],
            "properties": {"event": {"type": "string"}, "data": data},
        }
    data["contentSchema"] = {"anyOf": [told, error]}
    return {"type": "object", "required": ["data"], "properties": {"data": {"anyOf": [{"const": "[DONE]"}, data]}}}


def _schemas() -> Json:
    """The types of everything that is sent."""
    kinds = [(name, "serialization", TypeAdapter(kind)) for name, kind in KINDS.items()]
    places, found = TypeAdapter.json_schemas(kinds, ref_template=REF + "{model}")  # type: ignore[arg-type]
    own = {name: place for (name, _), place in places.items() if place != {"$ref": REF + name}}
    return {**found["$defs"], **own}
