"""The application: its routes, its error replies, and its background tasks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request

from tuili.errors import TuiliError
from tuili.serve.audit import Audit
from tuili.serve.errors import HttpError, from_engine_error
from tuili.serve.kept_items import KeptItems
from tuili.serve.keys import Keys
from tuili.serve.middleware import AccessMiddleware
from tuili.serve.models import ModelRegistry
from tuili.serve.monitoring.metrics import Metrics
from tuili.serve.monitoring.traces import Traces
from tuili.serve.replies import JsonReply
from tuili.serve.request_body import RequestLimits
from tuili.serve.routes import chat, completions, feedback, operator, pages, responses
from tuili.serve.routes import state as state_routes
from tuili.serve.routes.feedback import MAX_FILE_BYTES, FeedbackFile

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """The settings of a server, apart from its models.

    feedback, max_feedback_bytes: the file that stores feedback, None for none, and its maximum size in bytes.
    watch_seconds: seconds between checks for new weights. observe_seconds: seconds between observations of experts
    and attention heads. keep_seconds: seconds between writes of changed alarms. allowed_origins: origins of browser
    pages that may send requests, such as `https://example.org`; `*` allows any.
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


class Application(Starlette):
    """The application, with its OpenAPI document, which is built on first use."""

    _document: dict[str, Any] | None = None

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document."""
        if self._document is None:
            from tuili.serve.schemas.openapi import openapi_document

            self._document = openapi_document(self.routes, self.state.keys_required)
        return self._document


def make_app(
    models: ModelRegistry, settings: Settings | None = None, give_up: Callable[[], None] = lambda: None
) -> Application:
    """Build an application that serves these models. It begins to load them at startup, and answers probes meanwhile.
    `give_up` is called if one of them cannot be loaded.
    """
    settings = settings or Settings()

    @asynccontextmanager
    async def lifespan(app: Application) -> AsyncIterator[None]:
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

    every_route = (chat, completions, responses, feedback, operator, state_routes, pages)
    app = Application(routes=[route for module in every_route for route in module.ROUTES], lifespan=lifespan)
    app.state.models, app.state.metrics, app.state.traces = models, Metrics(models), settings.traces
    app.state.keys_required = settings.keys.required
    app.state.audit = Audit(settings.keys.has_operators)
    app.state.kept_items = KeptItems()
    app.state.feedback = FeedbackFile(settings.feedback, settings.max_feedback_bytes)
    app.add_middleware(AccessMiddleware, keys=settings.keys, limits=settings.limits, metrics=app.state.metrics)
    if settings.allowed_origins:  # outermost, so that a page can read errors too
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.allowed_origins,
            allow_methods=("GET", "POST"),
            allow_headers=("*",),
            allow_private_network="*" not in settings.allowed_origins,
            expose_headers=("X-Request-Id", "Retry-After"),
        )
    app.add_exception_handler(HttpError, _on_http_error)
    app.add_exception_handler(TuiliError, _on_engine_error)
    app.add_exception_handler(HTTPException, _on_framework_error)
    return app


async def _load_and_watch(models: ModelRegistry, seconds: float, give_up: Callable[[], None]) -> None:
    """Load the models, then reload those that change."""
    if await models.start():
        await models.watch(seconds)
    else:
        give_up()


async def _sample_activity(models: ModelRegistry, metrics: Metrics, seconds: float) -> None:
    """Record the activity of each model's experts and attention heads, every `seconds` seconds."""
    while True:
        await asyncio.sleep(seconds)
        for served in models.loaded:
            try:
                if (observation := await served.observe()) is not None:
                    metrics.record_activity(served.name, observation)
            except TuiliError:
                pass  # the model has just been replaced, or has failed
            except Exception:  # whatever it is, the other models are observed
                LOG.exception("model %s cannot be observed", served.name)


def _error_reply(error: HttpError) -> JsonReply:
    return JsonReply(error.body, error.status, error.headers)


async def _on_http_error(request: Request, error: Exception) -> JsonReply:
    assert isinstance(error, HttpError)
    return _error_reply(error)


async def _on_engine_error(request: Request, error: Exception) -> JsonReply:
    assert isinstance(error, TuiliError)
    return _error_reply(from_engine_error(error))


async def _on_framework_error(request: Request, error: Exception) -> JsonReply:
    """The reply to an error of the framework, such as an unknown route, or a method that a route does not allow."""
    assert isinstance(error, HTTPException)
    path = request.url.path[:200]
    messages = {404: f"no such route: {request.method} {path}", 405: f"{request.method} is not for {path}"}
    message = messages.get(error.status_code, str(error.detail))
    code = {400: "invalid_json", 404: "unknown_url", 405: "method_not_allowed"}.get(error.status_code)
    reply = _error_reply(HttpError(error.status_code, message, code))
    reply.headers.update(error.headers or {})  # for status 405, the allowed methods
    return reply
