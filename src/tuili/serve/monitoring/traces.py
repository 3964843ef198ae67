"""OpenTelemetry traces: one span for each call of a model, without any text of its prompts or answers. Nothing is
traced unless a collector is specified, and only then are the packages of the extra `traces` imported.

Attributes are named as in https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans; our own begin with `tuili.`.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from tuili import __version__
from tuili.engine import Answer, Answered, Event, Request, StepJudged
from tuili.errors import InputError
from tuili.serve.answers import finish_reason, usage
from tuili.serve.errors import HttpError

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

OPERATION_NAMES = {"/v1/completions": "text_completion"}
"""The name of an operation in the conventions, by path; on other paths it is `chat`."""
EXPORT_TIMEOUT_SECONDS = 3.0
"""How long sending to a collector may take, also at shutdown."""
CANCELLATIONS = (GeneratorExit, asyncio.CancelledError)
"""The exceptions raised in a call that nobody waits for any more."""


class CallSpan:
    """The span of one call of a model, with one or more choices. Without a span, it does nothing."""

    def __init__(self, span: Span | None = None) -> None:
        self._span, self._start, self._has_events = span, time.perf_counter(), False
        self._answers: dict[int, Answer] = {}

    def record(self, index: int, event: Event) -> None:
        """Note an event of the choice with this index."""
        if self._span is None:
            return
        if not self._has_events:
            self._has_events = True
            self._span.set_attribute("gen_ai.response.time_to_first_chunk", time.perf_counter() - self._start)
        if isinstance(event, StepJudged):
            attributes = {"tuili.choice": index, "tuili.attempt": event.attempt, "tuili.step": event.number}
            self._span.add_event("tuili.step", {**attributes, "tuili.verdict": str(event.verdict.status)})
        elif isinstance(event, Answered):
            self._answers[index] = event.answer

    def __enter__(self) -> CallSpan:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the span, with the available answers and the error that ended the call, if any."""
        if self._span is None:
            return
        if self._answers:
            self._span.set_attributes(_answer_attributes([answer for _, answer in sorted(self._answers.items())]))
        if isinstance(error, CANCELLATIONS):
            self._span.set_attribute("tuili.outcome", "cancelled")
        elif error is not None:
            http_error = error if isinstance(error, HttpError) else HttpError(500, type(error).__name__)
            self._span.set_attribute("error.type", http_error.code or http_error.message)
            self._mark_failed(http_error.message)
        self._span.end()

    def _mark_failed(self, message: str) -> None:
        from opentelemetry.trace import Status, StatusCode

        assert self._span is not None
        self._span.set_status(Status(StatusCode.ERROR, message))


class Traces:
    """Creates the spans of calls; without a tracer, they do nothing. `close` sends spans that were not sent yet."""

    def __init__(self, tracer: Tracer | None = None, close: Callable[[], None] = lambda: None) -> None:
        self.tracer, self.close = tracer, close

    def start_call(
        self, headers: Mapping[str, str], path: str, model: str, requests: Sequence[Request], request_id: str
    ) -> CallSpan:
        """Start the span of a call, as part of the trace that its headers name (`traceparent`)."""
        if self.tracer is None:
            return CallSpan()
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        operation = OPERATION_NAMES.get(path, "chat")
        attributes = _request_attributes(operation, model, requests) | {"tuili.request_id": request_id}
        context = TraceContextTextMapPropagator().extract(headers)
        return CallSpan(self.tracer.start_span(f"{operation} {model}", context, SpanKind.SERVER, attributes))


def otlp_traces(url: str) -> Traces:
    """Traces that are sent by OTLP over HTTP to the collector at `url`, such as `http://127.0.0.1:4318`. The usual
    environment variables apply, for example `OTEL_TRACES_SAMPLER` and `OTEL_EXPORTER_OTLP_HEADERS`.

    Raises `InputError` if `url` is not an HTTP URL, or if the extra `traces` is not installed.
    """
    if not url.startswith(("http://", "https://")):
        raise InputError(f"traces {url!r}: give the URL of a collector, such as http://127.0.0.1:4318")
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise InputError(f"traces need OpenTelemetry ({error}): pip install 'tuili[traces]'") from None
    service = os.environ.get("OTEL_SERVICE_NAME", "tuili")
    provider = TracerProvider(resource=Resource.create({"service.name": service, "service.version": __version__}))
    # The exporter reads the variable if no timeout is given.
    timeout = None if "OTEL_EXPORTER_OTLP_TIMEOUT" in os.environ else EXPORT_TIMEOUT_SECONDS
    exporter = OTLPSpanExporter(f"{url.rstrip('/')}/v1/traces", timeout=timeout)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return Traces(provider.get_tracer("tuili.serve", __version__), provider.shutdown)


def _request_attributes(operation: str, model: str, requests: Sequence[Request]) -> dict[str, Any]:
    first, count = requests[0], len(requests)
    budget, sampling = first.budget, first.sampling
    attributes = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": "tuili",
        "gen_ai.request.model": model,
        "gen_ai.request.choice.count": count if count > 1 else None,
        "gen_ai.request.max_tokens": budget.max_tokens,
        "gen_ai.request.temperature": sampling.temperature,
        "gen_ai.request.top_p": sampling.top_p,
        "gen_ai.request.top_k": sampling.top_k or None,
        "gen_ai.request.seed": sampling.seed,
        "tuili.budget.max_steps": budget.max_steps,
        "tuili.budget.error_tolerance": budget.error_tolerance,
        "tuili.budget.deadline_ms": budget.deadline_ms,
        "tuili.budget.max_layer_steps": budget.max_layer_steps,
    }
    return {name: value for name, value in attributes.items() if value is not None}


def _answer_attributes(answers: Sequence[Answer]) -> dict[str, Any]:
    tokens, receipts = usage(answers), [answer.receipt for answer in answers]
    attributes = {
        "gen_ai.response.finish_reasons": [finish_reason(answer) for answer in answers],
        "gen_ai.usage.input_tokens": tokens["prompt_tokens"],
        "gen_ai.usage.cache_read.input_tokens": tokens["prompt_tokens_details"]["cached_tokens"],
        "gen_ai.usage.output_tokens": tokens["completion_tokens"],
        "gen_ai.usage.reasoning.output_tokens": tokens["completion_tokens_details"]["reasoning_tokens"],
        "tuili.outcome": [str(receipt.outcome) for receipt in receipts],
        "tuili.attempts": sum(receipt.attempts for receipt in receipts),
        "tuili.layer_steps": sum(receipt.layer_steps for receipt in receipts),
        "tuili.queue_ms": max(receipt.milliseconds["queue"] for receipt in receipts),
    }
    if all(receipt.confidence is not None for receipt in receipts):
        attributes["tuili.confidence"] = [receipt.confidence for receipt in receipts]
    return attributes
