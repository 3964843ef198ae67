"""What a server tells Prometheus: load, latency, tokens, outcomes, depth, experts, promises, and what people thought.

Counters of requests are fed by the routes, those of answers from receipts, the rest is read from the engines when
somebody asks. Names are plain, with underscores, and all begin with `tuili_`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tuili.engine import Answer, Answered, Event, Observation, Request, StepJudged, TokenWritten
from tuili.serve.errors import HttpError
from tuili.serve.histogram import Tallies
from tuili.serve.models import Models

disable_created_metrics()  # type: ignore[no-untyped-call]
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
BETWEEN = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1)
DEPTHS = (3, 6, 9, 12, 18, 24, 32, 48, 64)
ATTEMPTS = (1, 2, 3, 4, 6, 8, 16, 32, 64)
STEPS = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64)


class Metrics:
    """All metrics of one server, in a registry of their own."""

    def __init__(self, models: Models) -> None:
        self.registry = own = CollectorRegistry()
        one = ["model"]
        self.requests = Counter("tuili_requests", "Answers over HTTP.", [*one, "endpoint", "status"], registry=own)
        self.seconds = Histogram(
            "tuili_request_seconds",
            "From a request to its last byte.",
            [*one, "endpoint"],
            buckets=SECONDS,
            registry=own,
        )
        self.first = Tallies("tuili_time_to_first_token_seconds", "From a request to its first token.", SECONDS, own)
        self.between = Tallies("tuili_inter_token_seconds", "From one token to the next.", BETWEEN, own)
        self.queue = Histogram(
            "tuili_queue_seconds", "Waiting for a slot, in all attempts.", one, buckets=SECONDS, registry=own
        )
        self.tokens = Counter("tuili_tokens", "Tokens read and written.", [*one, "kind"], registry=own)
        self.outcomes = Counter("tuili_outcomes", "How requests ended.", [*one, "outcome", "stop"], registry=own)
        self.in_flight = Gauge("tuili_requests_in_flight", "Requests that have not come to an end.", one, registry=own)
        self.refused = Counter("tuili_refused", "Requests that were not let in.", [*one, "reason"], registry=own)
        self.overruns = Counter(
            "tuili_budget_overruns", "Budgets that were not kept: there should be none.", [*one, "budget"], registry=own
        )
        self.depth = Tallies("tuili_token_depth_layers", "Layers that a token took.", DEPTHS, own)
        self.attempts = Histogram("tuili_attempts", "Attempts at an answer.", one, buckets=ATTEMPTS, registry=own)
        self.reasoning = Histogram("tuili_reasoning_steps", "Steps of an answer.", one, buckets=STEPS, registry=own)
        self.steps = Counter("tuili_steps", "Steps by the checker's verdict.", [*one, "verdict"], registry=own)
        self.feedback = Counter("tuili_feedback", "What people thought of answers.", [*one, "verdict"], registry=own)
        self.experts = Counter(
            "tuili_expert_tokens",
            "Tokens of sampled answers by reasoning layer and expert.",
            [*one, "layer", "expert"],
            registry=own,
        )
        self.heads = Gauge(
            "tuili_attention_head_activation_ratio",
            "Share of attention heads that are active, in the last answer that was sampled.",
            [*one, "layer"],
            registry=own,
        )
        own.register(_Engines(models))
        # These are there from the start: Prometheus takes the first value of a counter for where it stood, and would
        # lose the first thumb of each kind.
        at_0 = {
            self.tokens: ("prompt", "reused", "reasoning", "answer"),
            self.refused: ("overloaded",),
            self.overruns: ("max_steps", "max_tokens", "max_layer_steps", "deadline_ms"),
            self.steps: ("valid", "invalid", "unsupported", "timeout"),
            self.feedback: ("up", "down", "correction"),
        }
        for model in models.names:
            self.in_flight.labels(model)
            for counter, values in at_0.items():
                for value in values:
                    counter.labels(model, value)

    def saw(self, model: str, observed: Observation) -> None:
        """Count what experts and attention heads did with one answer."""
        for layer, share in enumerate(observed.active_heads):
            self.heads.labels(model, str(layer)).set(share)
        trunk = len(observed.active_heads) - len(observed.expert_tokens)
        for layer, tokens_E in enumerate(observed.expert_tokens, trunk):
            for expert, tokens in enumerate(tokens_E):
                self.experts.labels(model, str(layer), str(expert)).inc(tokens)

    def text(self) -> bytes:
        """The page that Prometheus reads."""
        return generate_latest(self.registry)

    def ended(self, model: str, request: Request, answer: Answer) -> None:
        """Count an answer, and hold it against its budget."""
        receipt, budget = answer.receipt, request.budget
        self.outcomes.labels(model, str(receipt.outcome), receipt.stop).inc()
        kinds = {"prompt": receipt.tokens["prompt"], "reused": receipt.reused, "answer": receipt.tokens["answer"]}
        kinds["reasoning"] = receipt.tokens["generated"] - receipt.tokens["answer"]
        for kind, count in kinds.items():
            self.tokens.labels(model, kind).inc(count)
        self.attempts.labels(model).observe(receipt.attempts)
        self.reasoning.labels(model).observe(len(answer.steps))
        for verdict, count in receipt.checked.items():
            self.steps.labels(model, verdict).inc(count)
        self.queue.labels(model).observe(receipt.milliseconds["queue"] / 1000)
        spent = {
            "max_steps": (receipt.attempts, budget.max_steps),
            "max_tokens": (receipt.tokens["generated"], budget.max_tokens),
            "max_layer_steps": (receipt.layer_steps, budget.max_layer_steps),
            "deadline_ms": (receipt.milliseconds["total"], budget.deadline_ms),
        }
        for name, (taken, limit) in spent.items():
            if limit is not None and taken > limit:
                self.overruns.labels(model, name).inc()


class Listener:
    """Times and counts what is heard of one request, to its one end, however it ends."""

    def __init__(self, metrics: Metrics, model: str, request: Request, clock: float) -> None:
        self._metrics, self._model, self.request, self._last = metrics, model, request, clock
        self._first, self._between = metrics.first.labels(model), metrics.between.labels(model)
        self._depth, self._in_flight = metrics.depth.labels(model), metrics.in_flight.labels(model)
        self._prompt, self._written = 0, 0
        self._ended = False
        self._in_flight.inc()

    def hears(self, event: Event, now: float) -> None:
        """Take an event in."""
        if isinstance(event, TokenWritten):
            (self._between if self._written else self._first).observe(now - self._last)
            self._depth.observe(event.depth)
            self._last, self._written = now, self._written + 1
        elif isinstance(event, Answered):
            self._ended = True
            tokens = event.answer.receipt.tokens
            self._prompt, self._written = tokens["prompt"], tokens["generated"]
            self._metrics.ended(self._model, self.request, event.answer)
        else:
            assert isinstance(event, StepJudged)

    def reads(self, tokens: int) -> None:
        """Note how long the prompt is. It counts from the first token on: before that it may never have been read."""
        self._prompt = tokens

    def fails(self, error: HttpError) -> None:
        """Count what is told to the client in place of an answer."""
        reason = error.code or "other"
        if error.status == 500:
            self._unanswered("failed", reason)
        else:
            self._ended = True
            self._metrics.refused.labels(self._model, reason).inc()

    def ends(self) -> int:
        """Count a request that nobody waited for to its end; returns the tokens that are to be charged."""
        self._in_flight.dec()
        if not self._ended:
            self._unanswered("cancelled", "cancelled")
        return self._prompt + self._written if self._written else 0

    def _unanswered(self, outcome: str, stop: str) -> None:
        self._ended = True
        self._metrics.outcomes.labels(self._model, outcome, stop).inc()
        if self._written:
            self._metrics.tokens.labels(self._model, "prompt").inc(self._prompt)
            self._metrics.tokens.labels(self._model, "reasoning").inc(self._written)


class _Engines(Collector):
    """What is read from the engines at the time of asking."""

    def __init__(self, models: Models) -> None:
        self._models = models

    def collect(self) -> Iterator[Metric]:
        """Gauges of every model."""
        told: dict[str, tuple[str, Iterable[tuple[str, float]]]] = {
            "tuili_queue_waiting": (
                "Attempts that wait for a slot.",
                [(s.name, s.engine.scheduler.waiting) for s in self._models.all],
            ),
            "tuili_rows_running": (
                "Attempts that have a slot.",
                [(s.name, s.engine.scheduler.running) for s in self._models.all],
            ),
            "tuili_cache_used_ratio": (
                "Share of slots that are taken.",
                [(s.name, s.engine.scheduler.running / s.engine.slots) for s in self._models.all],
            ),
            "tuili_ready": (
                "Whether a model answers.",
                [(name, float(self._models.answers(name))) for name in self._models.names],
            ),
            "tuili_promise_revoked": (
                "Whether promises were revoked because requests have changed.",
                [(s.name, float(s.engine.promises.revoked)) for s in self._models.all],
            ),
        }
        for name, (said, values) in told.items():
            family = GaugeMetricFamily(name, said, labels=["model"])
            for model, value in values:
                family.add_metric([model], value)
            yield family
