"""The application: its routes, its replies to errors, and what runs beside it from start to end."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

from tuili import __version__
from tuili.errors import TuiliError
from tuili.serve.audit import Audit
from tuili.serve.errors import HttpError, from_engine_error, from_validation_errors
from tuili.serve.keys import Keys
from tuili.serve.middleware import AccessMiddleware
from tuili.serve.models import ModelRegistry
from tuili.serve.monitoring.metrics import Metrics
from tuili.serve.monitoring.traces import Traces
from tuili.serve.request_body import RequestLimits
from tuili.serve.routes import chat, completions, feedback, operator, pages, responses
from tuili.serve.routes.feedback import MAX_FILE_BYTES, FeedbackFile
from tuili.serve.schemas.openapi import openapi_document
from tuili.serve.schemas.replies import Health, Model, ModelList
from tuili.serve.served_model import ServedModel

LOG = logging.getLogger(__name__)
JSON_TYPE = re.compile(r"application/([\w.+-]+\+)?json\s*(;|$)", re.IGNORECASE)
MAX_TOLD_CHARS = 100


@dataclass(frozen=True)
class Settings:
    """The settings of a server, apart from its models.

    feedback: the file that keeps feedback, None for none, and its largest size in bytes. watch_seconds: seconds from
    one look for new weights to the next. observe_seconds: seconds from one answer whose experts and attention heads are
    counted to the next. keep_seconds: seconds from one writing of alarms that have changed to the next.
    allowed_origins: of pages in browsers that may send requests, such as `https://example.org`; `*` allows any.
    """

    keys: Keys = field(default_factory=Keys)
    limits: RequestLimits = field(default_factory=RequestLimits)
    feedback: Path | None = None
    max_feedback_bytes: int = MAX_FILE_BYTES
    watch_seconds: float = 2.0
    observe_seconds: float = 30.0
    keep_seconds: float = 2.0
    traces: Traces = field(default_factory=Traces)
    allowed_origins: tuple[str, ...] = ()


def make_app(
    models: ModelRegistry, settings: Settings | None = None, give_up: Callable[[], None] = lambda: None
) -> FastAPI:
    """An application that serves these models. It begins to load them when it starts, and answers probes meanwhile;
    `give_up` is called when one of them cannot be loaded.
    """
    settings = settings or Settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        tasks = [
            asyncio.create_task(_load_and_watch(models, settings.watch_seconds, give_up)),
            asyncio.create_task(_sample_activity(models, app.state.metrics, settings.observe_seconds)),
            asyncio.create_task(models.keep_all_alarms(settings.keep_seconds)),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await models.stop()
            await asyncio.to_thread(settings.traces.close)

    app = FastAPI(title="Tuili", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.models, app.state.metrics, app.state.traces = models, Metrics(models), settings.traces
    app.openapi = partial(openapi_document, app, settings.keys.required)  # type: ignore[method-assign]
    app.state.audit = Audit(settings.keys.has_operators)
    app.state.feedback = FeedbackFile(settings.feedback, settings.max_feedback_bytes)
    app.add_middleware(AccessMiddleware, keys=settings.keys, limits=settings.limits, metrics=app.state.metrics)
    if settings.allowed_origins:  # around all else, so that a page can read errors too
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.allowed_origins,
            allow_methods=("GET", "POST"),
            allow_headers=("*",),
            allow_private_network="*" not in settings.allowed_origins,
            expose_headers=("X-Request-Id", "Retry-After"),
        )
    app.add_exception_handler(HttpError, _on_http_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(TuiliError, _on_engine_error)
    app.add_exception_handler(HTTPException, _on_framework_error)
    for module in (chat, completions, responses, feedback, operator, pages):
        app.include_router(module.router)

    @app.get("/v1/models", summary="List the models")
    async def list_models() -> JSONResponse:
        reply: ModelList = {"object": "list", "data": [_model_reply(served) for served in models.loaded]}
        return JSONResponse(reply)

    @app.get("/v1/models/{name}", summary="One model")
    async def one_model(name: str) -> JSONResponse:
        return JSONResponse(_model_reply(models.find(name)))

    @app.get("/health", summary="Whether the process lives")
    async def health() -> JSONResponse:
        reply: Health = {"status": "ok"}
        return JSONResponse(reply)

    @app.get("/ready", summary="Whether every model answers")
    async def ready() -> JSONResponse:
        return JSONResponse({"status": "ready" if models.ready else "loading"}, 200 if models.ready else 503)

    @app.get("/metrics", summary="What Prometheus reads")
    async def metrics() -> Response:
        text = await asyncio.to_thread(app.state.metrics.text)
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    return app


async def _load_and_watch(models: ModelRegistry, seconds: float, give_up: Callable[[], None]) -> None:
    """Load the models, and then load anew those that change."""
    if await models.start():
        await models.watch(seconds)
    else:
        give_up()


async def _sample_activity(models: ModelRegistry, metrics: Metrics, seconds: float) -> None:
    """Count what experts and attention heads do with one answer of each model, every so many seconds."""
    while True:
        await asyncio.sleep(seconds)
        for served in models.loaded:
            try:
                if (observation := await served.observe()) is not None:
                    metrics.record_activity(served.name, observation)
            except TuiliError:
                pass  # it has just been replaced, or has failed
            except Exception:  # whatever it is, the other models are looked at
                LOG.exception("model %s cannot be observed", served.name)


def _model_reply(served: ServedModel) -> Model:
    return {
        "id": served.name,
        "object": "model",
        "created": served.created,
        "owned_by": "tuili",
        "exits": served.exits,
        "conversation": served.conversation,
    }


def _error_reply(error: HttpError) -> JSONResponse:
    return JSONResponse(error.body, error.status, error.headers)


async def _on_http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HttpError)
    return _error_reply(error)


async def _on_engine_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, TuiliError)
    return _error_reply(from_engine_error(error))


async def _on_validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    content_type = request.headers.get("content-type", "")
    if not JSON_TYPE.match(content_type):
        given = f"it is {content_type[:MAX_TOLD_CHARS]}" if content_type else "there is none"
        message = f"the header Content-Type must be application/json, but {given}"
        return _error_reply(HttpError(415, message, "unsupported_content_type"))
    return _error_reply(from_validation_errors(error.errors(), error.body))


async def _on_framework_error(request: Request, error: Exception) -> JSONResponse:
    """The reply to what no route takes, and to a body that is not JSON at all."""
    assert isinstance(error, HTTPException)
    path = request.url.path[:200]
    messages = {404: f"no such route: {request.method} {path}", 405: f"{request.method} is not for {path}"}
    message = messages.get(error.status_code, str(error.detail))
    code = {400: "invalid_json", 404: "unknown_url", 405: "method_not_allowed"}.get(error.status_code)
    reply = _error_reply(HttpError(error.status_code, message, code))
    reply.headers.update(error.headers or {})  # with status 405, the methods that are allowed
    return reply
