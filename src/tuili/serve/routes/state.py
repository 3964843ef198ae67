"""The routes that report the state of a server: its models, two probes, metrics, and the OpenAPI document."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tuili.serve.models import ModelRegistry
from tuili.serve.replies import JsonReply
from tuili.serve.routes.api_route import ApiRoute
from tuili.serve.schemas.replies import Health, Model, ModelList, Readiness
from tuili.serve.served_model import ServedModel


async def list_models(http: Request) -> JsonReply:
    """The models that are loaded."""
    models: ModelRegistry = http.app.state.models
    reply: ModelList = {"object": "list", "data": [_model_reply(served) for served in models.loaded]}
    return JsonReply(reply)


async def one_model(http: Request) -> JsonReply:
    """A loaded model, by name."""
    models: ModelRegistry = http.app.state.models
    return JsonReply(_model_reply(models.find(http.path_params["name"])))


async def health(http: Request) -> JsonReply:
    """This probe needs no key."""
    reply: Health = {"status": "ok"}
    return JsonReply(reply)


async def ready(http: Request) -> JsonReply:
    """This probe needs no key. The status is 503 unless every model is loaded and accepts requests."""
    models: ModelRegistry = http.app.state.models
    reply: Readiness = {"status": "ready" if models.ready else "loading"}
    return JsonReply(reply, 200 if models.ready else 503)


async def metrics(http: Request) -> Response:
    """The metrics in Prometheus's text format."""
    text = await asyncio.to_thread(http.app.state.metrics.text)
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


async def document(http: Request) -> JsonReply:
    """The OpenAPI document."""
    return JsonReply(http.app.openapi())


def _model_reply(served: ServedModel) -> Model:
    return {
        "id": served.name,
        "object": "model",
        "created": served.created,
        "owned_by": "tuili",
        "exits": served.exits,
        "conversation": served.conversation,
        "writes": "prose" if served.prose else "steps",
    }


ROUTES = (
    ApiRoute("GET", "/v1/models", list_models, "List the models"),
    ApiRoute("GET", "/v1/models/{name}", one_model, "One model"),
    ApiRoute("GET", "/health", health, "Whether the process lives"),
    ApiRoute("GET", "/ready", ready, "Whether every model answers"),
    ApiRoute("GET", "/metrics", metrics, "What Prometheus reads"),
    Route("/openapi.json", document),
)
