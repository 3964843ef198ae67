"""OpenTelemetry traces: a span for each call of a model, named by the conventions for generative AI, without a word of
prompts or answers. Off unless a collector is named; the packages of the extra `traces` are imported only then.

Names: https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans; what the conventions lack begins with `tuili.`.
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

OPERATIONS = {"/v1/completions": "text_completion"}
"""By path; the others are chats."""
LATEST = 3.0
"""Seconds in which a collector must take what it is sent, at the end of the server as well."""
LEFT = (GeneratorExit, asyncio.CancelledError)
"""How a call ends that nobody waits for any more."""


class Call:
    """One call of a model, of one choice or several. Without a span it does nothing."""

    def __init__(self, span: Span | None = None) -> None:
        self._span, self._begun, self._first = span, time.perf_counter(), True
        self._answers: dict[int, Answer] = {}

    def hears(self, index: int, event: Event) -> None:
        """Note what has happened to the choice of this number."""
        if self._span is None:
            return
        if self._first:
            self._first = False
            self._span.set_attribute("gen_ai.response.time_to_first_chunk", time.perf_counter() - self._begun)
        if isinstance(event, StepJudged):
            told = {"tuili.choice": index, "tuili.attempt": event.attempt, "tuili.step": event.number}
            self._span.add_event("tuili.step", {**told, "tuili.verdict": str(event.verdict.status)})
        elif isinstance(event, Answered):
            self._answers[index] = event.answer

    def __enter__(self) -> Call:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the span: with what was answered, or with what was wrong."""
        if self._span is None:
            return
        if self._answers:
            self._span.set_attributes(_answered([answer for _, answer in sorted(self._answers.items())]))
        if isinstance(error, LEFT):
            self._span.set_attribute("tuili.outcome", "cancelled")
        elif error is not None:
            known = error if isinstance(error, HttpError) else HttpError(500, type(error).__name__)
            self._span.set_attribute("error.type", known.code or known.message)
            self._mark_failed(known.message)
        self._span.end()

    def _mark_failed(self, said: str) -> None:
        from opentelemetry.trace import Status, StatusCode

        assert self._span is not None
        self._span.set_status(Status(StatusCode.ERROR, said))


class Traces:
    """Where calls are told of; nowhere without a tracer."""

    def __init__(self, tracer: Tracer | None = None, close: Callable[[], None] = lambda: None) -> None:
        self._tracer, self.close = tracer, close

    def begin(self, headers: Mapping[str, str], path: str, model: str, requests: Sequence[Request], name: str) -> Call:
        """A call that begins, in the trace that its headers tell of (`traceparent`); `name` is the request's id."""
        if self._tracer is None:
            return Call()
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        asked = _asked(OPERATIONS.get(path, "chat"), model, requests) | {"tuili.request_id": name}
        around = TraceContextTextMapPropagator().extract(headers)
        title = f"{asked['gen_ai.operation.name']} {model}"
        return Call(self._tracer.start_span(title, around, SpanKind.SERVER, asked))


def collector(url: str) -> Traces:
    """Traces that are sent to a collector of OTLP over HTTP, as at `http://127.0.0.1:4318`. Sampling and headers follow
    the usual variables (`OTEL_TRACES_SAMPLER`, `OTEL_EXPORTER_OTLP_HEADERS`).

    Raises `InputError` for what is no URL, and without the extra `traces`.
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
    name = os.environ.get("OTEL_SERVICE_NAME", "tuili")
    provider = TracerProvider(resource=Resource.create({"service.name": name, "service.version": __version__}))
    timeout = None if "OTEL_EXPORTER_OTLP_TIMEOUT" in os.environ else LATEST  # None has the exporter read it
    exporter = OTLPSpanExporter(f"{url.rstrip('/')}/v1/traces", timeout=timeout)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return Traces(provider.get_tracer("tuili.serve", __version__), provider.shutdown)


def _asked(operation: str, model: str, requests: Sequence[Request]) -> dict[str, Any]:
    first, count = requests[0], len(requests)
    budget, sampling = first.budget, first.sampling
    found = {
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
    return {name: value for name, value in found.items() if value is not None}


def _answered(answers: Sequence[Answer]) -> dict[str, Any]:
    used, receipts = usage(answers), [answer.receipt for answer in answers]
    found = {
        "gen_ai.response.finish_reasons": [finish_reason(answer) for answer in answers],
        "gen_ai.usage.input_tokens": used["prompt_tokens"],
        "gen_ai.usage.cache_read.input_tokens": used["prompt_tokens_details"]["cached_tokens"],
        "gen_ai.usage.output_tokens": used["completion_tokens"],
        "gen_ai.usage.reasoning.output_tokens": used["completion_tokens_details"]["reasoning_tokens"],
        "tuili.outcome": [str(receipt.outcome) for receipt in receipts],
        "tuili.attempts": sum(receipt.attempts for receipt in receipts),
        "tuili.layer_steps": sum(receipt.layer_steps for receipt in receipts),
        "tuili.queue_ms": max(receipt.milliseconds["queue"] for receipt in receipts),
    }
    if all(receipt.confidence is not None for receipt in receipts):
        found["tuili.confidence"] = [receipt.confidence for receipt in receipts]
    return found
