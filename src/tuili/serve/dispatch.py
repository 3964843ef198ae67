"""How a route hands requests to a model: several together, within the caller's quotas, counted and traced, and with
errors as HTTP has them. How requests and answers look over HTTP is left to the routes.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any, TypeVar

from fastapi import Request as HttpRequest

from tuili.engine import Answer, Answered, Closed, Event, Outcome, Request
from tuili.errors import TuiliError
from tuili.serve.audit import Audit
from tuili.serve.errors import HttpError, from_engine_error
from tuili.serve.forms.structured import Form, fill_form
from tuili.serve.keys import Caller
from tuili.serve.models import ModelRegistry
from tuili.serve.monitoring.metrics import Metrics
from tuili.serve.monitoring.request_metrics import RequestMetrics
from tuili.serve.monitoring.traces import Traces
from tuili.serve.served_model import ServedModel

LOG = logging.getLogger(__name__)
PROMPT_FIELDS = {"/v1/completions": "prompt", "/v1/responses": "input"}
"""The field with the question, by path; on other paths it is `messages`."""
IndexedEvents = AsyncGenerator[tuple[int, Event], None]
EventQueue = asyncio.Queue[tuple[int, Event] | HttpError]
Body = TypeVar("Body", bound=Mapping[str, Any])
Result = TypeVar("Result")


class Dispatcher:
    """Hands requests of one caller to one model."""

    def __init__(self, served: ServedModel, http: HttpRequest, form: Form | None) -> None:
        self.served, self._http, self._form = served, http, form
        self._models: ModelRegistry = http.app.state.models
        self._metrics: Metrics = http.app.state.metrics
        self._traces: Traces = http.app.state.traces
        self._audit: Audit = http.app.state.audit
        self._caller: Caller = http.state.caller

    @classmethod
    def for_model(cls, http: HttpRequest, model: str, form: Form | None = None) -> Dispatcher:
        """The dispatcher for a request over HTTP. form: that which answers are to have; None for text.

        Raises `HttpError` for a model that is not served.
        """
        models: ModelRegistry = http.app.state.models
        served = models.find(model)
        http.state.model = served.name
        return cls(served, http, form)

    async def answers(self, requests: Sequence[Request]) -> list[Answer]:
        """The answers to requests that are answered together. If one is refused, so are all; if the client leaves, all
        are cancelled. Raises `HttpError`; see `events`.
        """
        return await self._while_connected(self._collect_answers(requests))

    async def after_first(self, events: AsyncGenerator[Body, None]) -> AsyncGenerator[Body, None]:
        """The same events, once the first one has come. What is refused is refused before that, while the reply can
        still have the status of an error.
        """
        first = await self._while_connected(anext(events))

        async def all_events() -> AsyncGenerator[Body, None]:
            async with aclosing(events):
                yield first
                async for event in events:
                    yield event

        return all_events()

    async def _while_connected(self, work: Awaitable[Result]) -> Result:
        """The result of some work, which is cancelled if the client leaves."""
        working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(self._disconnected())
        try:
            await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise HttpError(499, "the client has left", "cancelled")
            return working.result()
        finally:
            for task in (working, leaving):
                task.cancel()
            await asyncio.gather(working, leaving, return_exceptions=True)

    async def _disconnected(self) -> None:
        """Returns when the client has left."""
        while (await self._http.receive())["type"] != "http.disconnect":
            pass

    async def _collect_answers(self, requests: Sequence[Request]) -> list[Answer]:
        answers: dict[int, Answer] = {}
        async with aclosing(self.events(requests)) as events:
            async for index, event in events:
                if isinstance(event, Answered):
                    answers[index] = event.answer
        return [answers[index] for index in range(len(requests))]

    async def events(self, requests: Sequence[Request]) -> IndexedEvents:
        """The events of some requests as they come, each with the index of its request. Closing it cancels them.

        Raises `HttpError` for what the engine refuses, where a quota is spent, and where the engine ends or fails.
        """
        http, model = self._http, self.served.name
        with self._traces.start_call(http.headers, http.url.path, model, requests, http.state.request_id) as call:
            charged = self._charge(requests)
            queue: EventQueue = asyncio.Queue()
            now = time.perf_counter()
            metrics = [RequestMetrics(self._metrics, model, request, now) for request in requests]
            tasks = [asyncio.ensure_future(self._forward(index, one, queue)) for index, one in enumerate(metrics)]
            unanswered = len(tasks)
            try:
                while unanswered:
                    entry = await queue.get()
                    if isinstance(entry, HttpError):
                        raise entry
                    index, event = entry
                    call.record(index, event)
                    if isinstance(event, Answered):
                        unanswered -= 1
                        _raise_if_ended_by_server(event.answer)
                    yield entry
            finally:
                for task in tasks:
                    task.cancel()
                self._caller.settle(sum(one.finish() for one in metrics), charged)
                await asyncio.gather(*tasks, return_exceptions=True)

    def _charge(self, requests: Sequence[Request]) -> int:
        """Charge the caller for some requests, and count what is refused. Returns the tokens that were charged."""
        try:
            for request in requests:
                self._caller.check_priority(request.priority)
            return self._caller.charge(len(requests), sum(request.budget.max_tokens for request in requests))
        except HttpError as error:
            self._metrics.refused.labels(self.served.name, error.code or "other").inc()
            raise

    async def _forward(self, index: int, metrics: RequestMetrics, queue: EventQueue) -> None:
        """Put the events of one request into the queue, or the error that ends it. A request that meets a model as it
        is being replaced goes to the new one.
        """
        try:
            while True:
                served = self._models.find(self.served.name)
                try:
                    prepared = await served.prepare(replace(metrics.request, client=self._caller.client))
                    metrics.set_prompt_tokens(len(prepared.ids))
                    async with aclosing(served.stream(prepared)) as events:  # type: ignore[type-var]
                        async for event in events:
                            if isinstance(event, Answered):
                                await self._models.keep_if_revoked(served)
                                self._audit.offer(served.name, self._caller.client, served.calibration, event.answer)
                                event = Answered(fill_form(event.answer, self._form))
                            metrics.observe(event, time.perf_counter())
                            await queue.put((index, event))
                    return
                except Closed:
                    if self._models.find(self.served.name) is served:
                        raise
        except Exception as error:
            http_error = self._http_error(error)
            metrics.record_error(http_error)
            await queue.put(http_error)

    def _http_error(self, error: Exception) -> HttpError:
        """What the client gets for an error."""
        if isinstance(error, HttpError):
            return error
        if isinstance(error, TuiliError):
            return from_engine_error(error, PROMPT_FIELDS.get(self._http.url.path, "messages"))
        LOG.error("a request has failed", exc_info=error)
        return HttpError(500, f"an error inside the server: {type(error).__name__}", "server_error")


def _raise_if_ended_by_server(answer: Answer) -> None:
    """Raise `HttpError` for an answer that is none: the server's end has cancelled it, or it has failed."""
    if answer.receipt.outcome is Outcome.CANCELLED:
        raise HttpError(503, "the server is shutting down", "shutting_down", retry_after=5)
    if answer.receipt.outcome is Outcome.FAILED:
        raise HttpError(500, "an error inside the engine; the server's log has it", "engine_failed")
