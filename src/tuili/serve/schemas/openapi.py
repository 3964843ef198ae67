"""The OpenAPI document: what clients may send to each route, and what the route replies, by status. It is built on the
first request for it, so that it adds no startup time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal

from pydantic import TypeAdapter
from starlette.routing import BaseRoute

from tuili import __version__
from tuili.serve.middleware import PROBE_PATHS
from tuili.serve.routes.api_route import ApiRoute
from tuili.serve.schemas import item_events, items, operator_replies, replies

Json = dict[str, Any]
REF = "#/components/schemas/"
OPENAPI_VERSION = "3.2.0"
"""The first version that can describe the events of a stream."""

REPLY_TYPES: Mapping[str, Any] = {
    "ChatCompletion": replies.ChatCompletion,
    "ChatChunk": replies.ChatChunk,
    "TextCompletion": replies.TextCompletion,
    "Response": items.ResponseReply,
    "ResponseEvent": item_events.ResponseEvent,
    "FeedbackTaken": replies.FeedbackTaken,
    "AlarmList": operator_replies.AlarmList,
    "AuditDraw": operator_replies.AuditDraw,
    "JudgementTaken": operator_replies.JudgementTaken,
    "ModelList": replies.ModelList,
    "Model": replies.Model,
    "Health": replies.Health,
    "Readiness": replies.Readiness,
    "Error": replies.Error,
}
"""The types of whole bodies and of stream events, by their names in the document."""

PROBE_ERRORS = (413, 431, 500)
KEY_ERRORS = (401, 503, *PROBE_ERRORS)
BODY_ERRORS = (400, 408, 415, 429, *KEY_ERRORS)
MODEL_ERRORS = (404, *BODY_ERRORS)
OPERATOR_ERRORS = (403, *MODEL_ERRORS)
"""Error statuses of probes, of routes that need a key, of those that also read a body, of those that also ask a model,
and of those that also need an operator's key.
"""
STATUS_DESCRIPTIONS: Mapping[int, str] = {
    200: "The answer",
    202: "Taken",
    400: "Something is wrong with the body; `param` says where",
    401: "The API key is missing or unknown",
    403: "The key is not an operator's",
    404: "No such model, alarm or answer",
    408: "The body came too slowly",
    413: "The body is too large",
    415: "The body is not announced as JSON",
    429: "Too many requests, or a quota is spent",
    431: "Too many or too large headers",
    500: "An error inside, which the log has",
    503: "Not now: models are being loaded, too many requests are at work, or the server is shutting down",
}
RETRY_AFTER_HEADER = {
    "description": "Seconds after which to ask again.",
    "required": True,
    "schema": {"type": "integer", "minimum": 1},
}
REQUEST_ID_HEADER = {
    "description": "The id of the request, as in the log.",
    "required": True,
    "schema": {"type": "string"},
}
AUTHENTICATE_HEADER = {"description": "How to say who asks.", "required": True, "schema": {"type": "string"}}
KEY_SCHEMES: list[Json] = [{"bearer": []}, {"apiKey": []}]
"""Either of them is enough."""
API_DESCRIPTION = (
    "OpenAI's API, with budgets in requests and receipts in answers. A method that a path does not take is told\n"
    "by 405 and an error in the same form."
)


@dataclass(frozen=True)
class RouteReplies:
    """What a route replies.

    json: the type of the JSON body. stream: the type of the JSON in server-sent events; named: whether these events
    have names. text: whether the body is plain text. status: the status of a reply without error. errors: the statuses
    of errors. also: further statuses with the same body that are not errors.
    """

    json: str = ""
    stream: str = ""
    named: bool = False
    text: bool = False
    status: int = 200
    errors: tuple[int, ...] = KEY_ERRORS
    also: tuple[int, ...] = ()


ROUTE_REPLIES: Mapping[tuple[str, str], RouteReplies] = {
    ("post", "/v1/chat/completions"): RouteReplies("ChatCompletion", "ChatChunk", errors=MODEL_ERRORS),
    ("post", "/v1/completions"): RouteReplies("TextCompletion", "TextCompletion", errors=MODEL_ERRORS),
    ("post", "/v1/responses"): RouteReplies("Response", "ResponseEvent", named=True, errors=MODEL_ERRORS),
    ("post", "/v1/feedback"): RouteReplies("FeedbackTaken", status=202, errors=BODY_ERRORS),
    ("get", "/v1/operator/alarms"): RouteReplies("AlarmList", errors=(403, *KEY_ERRORS)),
    ("post", "/v1/operator/alarms/reset"): RouteReplies("AlarmList", errors=OPERATOR_ERRORS),
    ("post", "/v1/operator/audit"): RouteReplies("AuditDraw", errors=OPERATOR_ERRORS),
    ("post", "/v1/operator/audit/{name}"): RouteReplies("JudgementTaken", errors=OPERATOR_ERRORS),
    ("get", "/v1/models"): RouteReplies("ModelList"),
    ("get", "/v1/models/{name}"): RouteReplies("Model", errors=(404, *KEY_ERRORS)),
    ("get", "/health"): RouteReplies("Health", errors=PROBE_ERRORS),
    ("get", "/ready"): RouteReplies("Readiness", errors=PROBE_ERRORS, also=(503,)),
    ("get", "/metrics"): RouteReplies(text=True),
}


def openapi_document(routes: Sequence[BaseRoute], keys_required: bool) -> Json:
    """The document of an application with these routes; `keys_required` says whether requests need a key."""
    api_routes = [route for route in routes if isinstance(route, ApiRoute)]
    paths: Json = {}
    for route in api_routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, keys_required)
    requests = _schemas("validation", {route.body.__name__: route.body for route in api_routes if route.body})
    replies = _schemas("serialization", REPLY_TYPES)
    assert not requests.keys() & replies.keys(), "types of requests and of replies must differ in name"
    return {
        "openapi": OPENAPI_VERSION,
        "info": {"title": "Tuili", "description": API_DESCRIPTION, "version": __version__},
        "paths": paths,
        "components": {
            "schemas": requests | replies,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "apiKey": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
            },
        },
    }


def _operation(route: ApiRoute, keys_required: bool) -> Json:
    """What the document says about a route."""
    name = re.sub(r"\W", "_", f"{route.name}{route.path_format}")
    operation: Json = {"summary": route.summary, "operationId": f"{name}_{route.method.lower()}"}
    if route.description:
        operation["description"] = route.description
    if route.param_convertors:
        operation["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string", "title": name.capitalize()}}
            for name in route.param_convertors
        ]
    if route.body is not None:
        schema = {"$ref": REF + route.body.__name__}
        operation["requestBody"] = {"content": {"application/json": {"schema": schema}}, "required": True}
    operation["responses"] = _responses(ROUTE_REPLIES[route.method.lower(), route.path])
    if route.path not in PROBE_PATHS:
        operation["security"] = KEY_SCHEMES if keys_required else [{}, *KEY_SCHEMES]
    return operation


def _responses(replies: RouteReplies) -> Json:
    """The `responses` of an operation, by status."""
    content: Json = {}
    if replies.json:
        content["application/json"] = {"schema": {"$ref": REF + replies.json}}
    if replies.stream:
        content["text/event-stream"] = {"itemSchema": _event_schema(replies)}
    if replies.text:
        content["text/plain"] = {"schema": {"type": "string"}}
    contents = dict.fromkeys((replies.status, *replies.also), content)
    contents |= {status: {"application/json": {"schema": {"$ref": REF + "Error"}}} for status in replies.errors}
    return {str(status): _response(status, contents[status], status in replies.errors) for status in sorted(contents)}


def _response(status: int, content: Json, error: bool) -> Json:
    """The response of one status, with its headers."""
    headers: Json = {"X-Request-Id": REQUEST_ID_HEADER}
    if error and status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        headers["Retry-After"] = RETRY_AFTER_HEADER
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = AUTHENTICATE_HEADER
    return {"description": STATUS_DESCRIPTIONS[status], "headers": headers, "content": content}


def _event_schema(replies: RouteReplies) -> Json:
    """The schema of a server-sent event. Its data is JSON; if events have no names, it can also be the end marker."""
    error = {"$ref": REF + "Error"}
    event = {"$ref": REF + replies.stream}
    data: Json = {"type": "string", "contentMediaType": "application/json"}
    if replies.named:
        data["contentSchema"] = event
        return {
            "type": "object",
            "required": ["event", "data"],
            "properties": {"event": {"type": "string"}, "data": data},
        }
    data["contentSchema"] = {"anyOf": [event, error]}
    return {"type": "object", "required": ["data"], "properties": {"data": {"anyOf": [{"const": "[DONE]"}, data]}}}


def _schemas(mode: Literal["validation", "serialization"], types: Mapping[str, Any]) -> Json:
    """The schemas of types, and of all types inside them, by name."""
    adapters = [(name, mode, TypeAdapter(one)) for name, one in types.items()]
    places, schemas = TypeAdapter.json_schemas(adapters, ref_template=REF + "{model}")
    unnamed = {name: place for (name, _), place in places.items() if place != {"$ref": REF + name}}
    named: Json = _without_null_defaults({**schemas["$defs"], **unnamed})
    return named


def _without_null_defaults(part: Any) -> Any:
    """The same schema without null defaults: that a field is optional says enough."""
    if isinstance(part, list):
        return [_without_null_defaults(one) for one in part]
    if not isinstance(part, dict):
        return part
    kept = (name for name in part if part[name] is not None or name != "default")
    return {name: _without_null_defaults(part[name]) for name in kept}
