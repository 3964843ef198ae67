"""Passes requests from a route to a model: several together, within the caller's quotas, with metrics, traces and HTTP
errors. The format of requests and answers over HTTP is left to the routes.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from starlette.requests import Request as HttpRequest

from tuili.engine import Answer, Answered, Closed, Event, Outcome, Request
from tuili.errors import TuiliError
from tuili.serve.audit import Audit
from tuili.serve.connection import WhileConnected
from tuili.serve.errors import HttpError, from_engine_error
from tuili.serve.forms.structured import Form, fill_form
from tuili.serve.keys import Caller
from tuili.serve.merge import merged
from tuili.serve.models import ModelRegistry
from tuili.serve.monitoring.metrics import Metrics
from tuili.serve.monitoring.request_metrics import RequestMetrics
from tuili.serve.monitoring.traces import Traces
from tuili.serve.served_model import ServedModel

LOG = logging.getLogger(__name__)
PROMPT_FIELDS = {"/v1/completions": "prompt", "/v1/responses": "input"}
"""The field that contains the question, by path; on other paths it is `messages`."""
Batch = list[tuple[int, Event]]
"""Events that arrived together, each with the index of its request."""


class Dispatcher:
    """Passes requests of one caller to one model."""

    def __init__(self, served: ServedModel, http: HttpRequest, form: Form | None) -> None:
        self.served, self._http, self.form = served, http, form
        self._models: ModelRegistry = http.app.state.models
        self._metrics: Metrics = http.app.state.metrics
        self._traces: Traces = http.app.state.traces
        self._audit: Audit = http.app.state.audit
        self._caller: Caller = http.state.caller
        self.prompt_tokens = 0
        """Number of prompt tokens of the last request that was prepared."""

    @classmethod
    def for_model(cls, http: HttpRequest, model: str, form: Form | None = None) -> Dispatcher:
        """The dispatcher for an HTTP request. form: the form of the answers, which can be set later; None for text.

        Raises `HttpError` for a model that is not served, or not loaded yet.
        """
        models: ModelRegistry = http.app.state.models
        served = models.find(model)
        http.state.model = served.name
        return cls(served, http, form)

    async def answers(self, requests: Sequence[Request]) -> list[Answer]:
        """Answer requests together. If one is refused, so are all; if the client disconnects, all are cancelled.
        Raises `HttpError`; see `batches`.
        """
        answers: dict[int, Answer] = {}
        async with WhileConnected(self._http.receive), aclosing(self.batches(requests)) as batches:
            async for batch in batches:
                for index, event in batch:
                    if isinstance(event, Answered):
                        answers[index] = event.answer
        return [answers[index] for index in range(len(requests))]

    async def batches(self, requests: Sequence[Request]) -> AsyncGenerator[Batch, None]:
        """Yield the events of requests as they arrive. Closing the generator cancels the requests.

        Raises `HttpError` if the engine refuses a request, a priority is too high, a quota is spent, or the engine
        closes or fails.
        """
        http, model = self._http, self.served.name
        with self._traces.start_call(http.headers, http.url.path, model, requests, http.state.request_id) as call:
            charged = self._charge(requests)
            now = time.perf_counter()
            metrics = [RequestMetrics(self._metrics, model, request, now) for request in requests]
            try:
                async with aclosing(merged([self._of_one(*numbered) for numbered in enumerate(metrics)])) as batches:
                    async for batch in batches:
                        for place, (index, event) in enumerate(batch):
                            call.record(index, event)
                            if isinstance(event, Answered) and (error := _ended_by_server(event.answer)) is not None:
                                if place:
                                    yield batch[:place]
                                raise error
                        yield batch
            finally:
                self._caller.settle(sum(one.finish() for one in metrics), charged)

    def _charge(self, requests: Sequence[Request]) -> int:
        """Charge the caller for requests, and count a refusal. Returns the number of tokens charged."""
        try:
            for request in requests:
                self._caller.check_priority(request.priority)
            return self._caller.charge(len(requests), sum(request.budget.max_tokens for request in requests))
        except HttpError as error:
            self._metrics.refused.labels(self.served.name, error.code or "other").inc()
            raise

    async def _of_one(self, index: int, metrics: RequestMetrics) -> AsyncGenerator[Batch, None]:
        """Yield the events of one request. Raises the `HttpError` that ends it. If the model is being replaced, the
        request goes to the new one.
        """
        try:
            while True:
                served = self._models.find(self.served.name)
                try:
                    prepared = await served.prepare(replace(metrics.request, client=self._caller.client))
                    self.prompt_tokens = len(prepared.ids)
                    metrics.set_prompt_tokens(self.prompt_tokens)
                    async with aclosing(served.batches(prepared)) as batches:
                        async for events in batches:
                            if isinstance(last := events[-1], Answered):
                                await self._models.keep_if_revoked(served)
                                self._audit.offer(served.name, self._caller.client, served.calibration, last.answer)
                                events[-1] = Answered(fill_form(last.answer, self.form))
                            metrics.observe(events, time.perf_counter())
                            yield [(index, event) for event in events]
                    return
                except Closed:
                    if self._models.find(self.served.name) is served:
                        raise
        except Exception as error:
            http_error = self._http_error(error)
            metrics.record_error(http_error)
            raise http_error from error

    def _http_error(self, error: Exception) -> HttpError:
        """The error that the client receives."""
        if isinstance(error, HttpError):
            return error
        if isinstance(error, TuiliError):
            return from_engine_error(error, PROMPT_FIELDS.get(self._http.url.path, "messages"))
        LOG.error("a request has failed", exc_info=error)
        return HttpError(500, f"an error inside the server: {type(error).__name__}", "server_error")


def _ended_by_server(answer: Answer) -> HttpError | None:
    """The error to raise for an answer that failed or that the server's shutdown cancelled; None for any other."""
    if answer.receipt.outcome is Outcome.CANCELLED:
        return HttpError(503, "the server is shutting down", "shutting_down", retry_after=5)
    if answer.receipt.outcome is Outcome.FAILED:
        return HttpError(500, "an error inside the engine; the server's log has it", "engine_failed")
    return None
