"""The application: its routes, how errors look, and what is started and stopped with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from tuili import __version__
from tuili.errors import TuiliError
from tuili.serve.errors import HttpError, of_engine, of_validation
from tuili.serve.keys import Keys
from tuili.serve.metrics import Metrics
from tuili.serve.middleware import Guard, Limits
from tuili.serve.models import Models, Served
from tuili.serve.routes import chat, completions, feedback, pages, responses
from tuili.serve.routes.feedback import FeedbackFile
from tuili.serve.schemas.openapi import document
from tuili.serve.schemas.replies import Health, Model, ModelList
from tuili.serve.traces import Traces


@dataclass(frozen=True)
class Settings:
    """Everything about a server but its models. watch_seconds: how often folders are looked at for new weights;
    observe_seconds: how often an answer is looked at for what experts and attention heads do with it.
    """

    keys: Keys = field(default_factory=Keys)
    limits: Limits = field(default_factory=Limits)
    feedback: Path | None = None
    watch_seconds: float = 2.0
    observe_seconds: float = 30.0
    traces: Traces = field(default_factory=Traces)


def make_app(models: Models, settings: Settings | None = None, give_up: Callable[[], None] = lambda: None) -> FastAPI:
    """An application that serves some models. It begins to load them when it starts, and answers probes meanwhile;
    `give_up` is called when one of them cannot be loaded.
    """
    settings = settings or Settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        seen = _observe(models, app.state.metrics, settings.observe_seconds)
        tasks = [asyncio.create_task(task) for task in (_look_after(models, settings.watch_seconds, give_up), seen)]
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
    app.openapi = partial(document, app, settings.keys.needed)  # type: ignore[method-assign]
    app.state.feedback = FeedbackFile(settings.feedback)
    app.add_middleware(Guard, keys=settings.keys, limits=settings.limits, metrics=app.state.metrics)
    app.add_exception_handler(HttpError, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(TuiliError, _engine_error)
    app.add_exception_handler(HTTPException, _no_route)
    for part in (chat, completions, responses, feedback, pages):
        app.include_router(part.routes)

    @app.get("/v1/models", summary="List the models")
    async def list_models() -> JSONResponse:
        told: ModelList = {"object": "list", "data": [_model(served) for served in models.all]}
        return JSONResponse(told)

    @app.get("/v1/models/{name}", summary="One model")
    async def one_model(name: str) -> JSONResponse:
        return JSONResponse(_model(models.find(name)))

    @app.get("/health", summary="Whether the process lives")
    async def health() -> JSONResponse:
        told: Health = {"status": "ok"}
        return JSONResponse(told)

    @app.get("/ready", summary="Whether every model answers")
    async def ready() -> JSONResponse:
        return JSONResponse({"status": "ready" if models.ready else "loading"}, 200 if models.ready else 503)

    @app.get("/metrics", summary="What Prometheus reads")
    async def metrics() -> Response:
        text = await asyncio.to_thread(app.state.metrics.text)
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    return app


async def _look_after(models: Models, seconds: float, give_up: Callable[[], None]) -> None:
    """Load the models, and then load those anew that change."""
    if await models.start():
        await models.watch(seconds)
    else:
        give_up()


async def _observe(models: Models, metrics: Metrics, seconds: float) -> None:
    """Look at an answer of each model again and again."""
    while True:
        await asyncio.sleep(seconds)
        for served in models.all:
            with suppress(TuiliError):  # it has just been replaced, or has failed
                if (observed := await served.service.observe()) is not None:
                    metrics.saw(served.name, observed)


def _model(served: Served) -> Model:
    exits = list(served.engine.exits)
    return {"id": served.name, "object": "model", "created": served.created, "owned_by": "tuili", "exits": exits}


def _answer(error: HttpError) -> JSONResponse:
    return JSONResponse(error.body, error.status, error.headers)


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HttpError)
    return _answer(error)


async def _engine_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, TuiliError)
    return _answer(of_engine(error))


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return _answer(of_validation(error.errors(), error.body))


async def _no_route(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    path = request.url.path[:200]
    said = {404: f"no such route: {request.method} {path}", 405: f"{request.method} is not for {path}"}
    code = {400: "invalid_json", 404: "unknown_url", 405: "method_not_allowed"}.get(error.status_code)
    told = _answer(HttpError(error.status_code, said.get(error.status_code, str(error.detail)), code))
    told.headers.update(error.headers or {})  # of 405: what is allowed
    return told
