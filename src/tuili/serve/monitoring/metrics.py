"""All metrics of a server, as Prometheus reads them: load, latency, tokens, outcomes, depth, experts, promises,
feedback.

Metrics of answers are counted from their receipts; the gauges of engines are read on each scrape. `request_metrics`
counts the events of a request while it is answered. Every name begins with `tuili_`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tuili.engine import AlarmReading, Answer, Observation, Request
from tuili.serve.keys import ANONYMOUS
from tuili.serve.models import ModelRegistry
from tuili.serve.monitoring.histogram import LockFreeHistogram

disable_created_metrics()  # type: ignore[no-untyped-call]
LATENCY_BUCKETS_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
INTER_TOKEN_BUCKETS_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1)
DEPTH_BUCKETS_LAYERS = (3, 6, 9, 12, 18, 24, 32, 48, 64)
ATTEMPT_BUCKETS = (1, 2, 3, 4, 6, 8, 16, 32, 64)
STEP_BUCKETS = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64)


class Metrics:
    """The metrics of one server, in a registry of their own."""

    def __init__(self, models: ModelRegistry) -> None:
        self.registry = registry = CollectorRegistry()
        by_model = ["model"]
        self.requests = Counter(
            "tuili_requests", "Answers over HTTP.", [*by_model, "endpoint", "status"], registry=registry
        )
        self.request_seconds = Histogram(
            "tuili_request_seconds",
            "From a request to its last byte.",
            [*by_model, "endpoint"],
            buckets=LATENCY_BUCKETS_SECONDS,
            registry=registry,
        )
        self.first_token_seconds = LockFreeHistogram(
            "tuili_time_to_first_token_seconds",
            "From a request to its first token.",
            LATENCY_BUCKETS_SECONDS,
            registry,
        )
        self.inter_token_seconds = LockFreeHistogram(
            "tuili_inter_token_seconds", "From one token to the next.", INTER_TOKEN_BUCKETS_SECONDS, registry
        )
        self.queue_seconds = Histogram(
            "tuili_queue_seconds",
            "Waiting for a slot, in all attempts.",
            by_model,
            buckets=LATENCY_BUCKETS_SECONDS,
            registry=registry,
        )
        self.tokens = Counter("tuili_tokens", "Tokens read and written.", [*by_model, "kind"], registry=registry)
        self.outcomes = Counter(
            "tuili_outcomes", "How requests ended.", [*by_model, "outcome", "stop"], registry=registry
        )
        self.in_flight = Gauge(
            "tuili_requests_in_flight", "Requests that have not come to an end.", by_model, registry=registry
        )
        self.refused = Counter(
            "tuili_refused", "Requests that were not let in.", [*by_model, "reason"], registry=registry
        )
        self.overruns = Counter(
            "tuili_budget_overruns",
            "Budgets that were not kept: there should be none.",
            [*by_model, "budget"],
            registry=registry,
        )
        self.token_depth = LockFreeHistogram(
            "tuili_token_depth_layers", "Layers that a token took.", DEPTH_BUCKETS_LAYERS, registry
        )
        self.attempts = Histogram(
            "tuili_attempts", "Attempts at an answer.", by_model, buckets=ATTEMPT_BUCKETS, registry=registry
        )
        self.reasoning_steps = Histogram(
            "tuili_reasoning_steps", "Steps of an answer.", by_model, buckets=STEP_BUCKETS, registry=registry
        )
        self.steps = Counter(
            "tuili_steps", "Steps by the checker's verdict.", [*by_model, "verdict"], registry=registry
        )
        self.untraced_steps = Counter(
            "tuili_untraced_steps", "Valid steps with a number from nowhere.", by_model, registry=registry
        )
        self.calculated_steps = Counter(
            "tuili_calculated_steps", "Steps whose values the checker wrote.", by_model, registry=registry
        )
        self.unfamiliar = Counter(
            "tuili_unfamiliar_prompts",
            "Answered prompts that are unlike what the model has learnt from.",
            by_model,
            registry=registry,
        )
        self.feedback = Counter(
            "tuili_feedback", "What people thought of answers.", [*by_model, "verdict"], registry=registry
        )
        self.expert_tokens = Counter(
            "tuili_expert_tokens",
            "Tokens that ran, as far as they are counted, by reasoning layer and expert.",
            [*by_model, "layer", "expert"],
            registry=registry,
        )
        self.active_heads = Gauge(
            "tuili_attention_head_activation_ratio",
            "Share of attention heads that were active since the look before.",
            [*by_model, "layer"],
            registry=registry,
        )
        registry.register(EngineGauges(models))
        self._create_at_zero(models.names)

    def _create_at_zero(self, models: Iterable[str]) -> None:
        """Create the counters whose labels are known. Prometheus takes the first value that it reads as the baseline of
        a counter, so it would miss the event with which a counter is created.
        """
        known_labels = {
            self.tokens: ("prompt", "reused", "reasoning", "answer"),
            self.refused: ("overloaded", "rate_limit_exceeded"),
            self.overruns: ("max_steps", "max_tokens", "max_layer_steps", "deadline_ms"),
            self.steps: ("valid", "invalid", "unsupported", "timeout"),
            self.feedback: ("up", "down", "correction"),
        }
        for model in models:
            self.in_flight.labels(model)
            self.untraced_steps.labels(model)
            self.calculated_steps.labels(model)
            self.unfamiliar.labels(model)
            for counter, labels in known_labels.items():
                for label in labels:
                    counter.labels(model, label)

    def text(self) -> bytes:
        """All metrics in the text format of Prometheus."""
        return generate_latest(self.registry)

    def record_activity(self, model: str, observation: Observation) -> None:
        """Record the activity of experts and attention heads since the last observation."""
        for layer, share in enumerate(observation.active_heads):
            self.active_heads.labels(model, str(layer)).set(share)
        trunk_layers = len(observation.active_heads) - len(observation.expert_tokens)
        for layer, tokens_E in enumerate(observation.expert_tokens, trunk_layers):
            for expert, tokens in enumerate(tokens_E):
                self.expert_tokens.labels(model, str(layer), str(expert)).inc(tokens)

    def record_answer(self, model: str, request: Request, answer: Answer) -> None:
        """Count an answer by its receipt, and each limit of the budget that it overran."""
        receipt, budget = answer.receipt, request.budget
        self.outcomes.labels(model, str(receipt.outcome), receipt.stop).inc()
        tokens = {"prompt": receipt.tokens["prompt"], "reused": receipt.reused, "answer": receipt.tokens["answer"]}
        tokens["reasoning"] = receipt.tokens["generated"] - receipt.tokens["answer"]
        for kind, count in tokens.items():
            self.tokens.labels(model, kind).inc(count)
        self.attempts.labels(model).observe(receipt.attempts)
        self.reasoning_steps.labels(model).observe(len(answer.steps))
        for verdict, count in receipt.checked.items():
            self.steps.labels(model, verdict).inc(count)
        self.untraced_steps.labels(model).inc(receipt.untraced)
        self.calculated_steps.labels(model).inc(receipt.written_by.get("checker", 0))
        self.unfamiliar.labels(model).inc(receipt.familiar is not None and not receipt.familiar.enough)
        self.queue_seconds.labels(model).observe(receipt.milliseconds["queue"] / 1000)
        spent_and_limit = {
            "max_steps": (receipt.attempts, budget.max_steps),
            "max_tokens": (receipt.tokens["generated"], budget.max_tokens),
            "max_layer_steps": (receipt.layer_steps, budget.max_layer_steps),
            "deadline_ms": (receipt.milliseconds["total"], budget.deadline_ms),
        }
        for name, (spent, limit) in spent_and_limit.items():
            if limit is not None and spent > limit:
                self.overruns.labels(model, name).inc()


class EngineGauges(Collector):
    """The load and the state of every engine, read on each scrape."""

    def __init__(self, models: ModelRegistry) -> None:
        self._models = models

    def collect(self) -> Iterator[Metric]:
        """Yield one gauge after the other, each with the values of all models."""
        loaded, names = self._models.loaded, self._models.names
        gauges: dict[str, tuple[str, Iterable[tuple[str, float]]]] = {
            "tuili_queue_waiting": (
                "Attempts that wait for a slot.",
                [(served.name, served.waiting) for served in loaded],
            ),
            "tuili_rows_running": (
                "Attempts that have a slot.",
                [(served.name, served.running) for served in loaded],
            ),
            "tuili_cache_used_ratio": (
                "Share of slots that are taken.",
                [(served.name, served.running / served.slots) for served in loaded],
            ),
            "tuili_ready": (
                "Whether a model answers.",
                [(name, float(self._models.is_ready(name))) for name in names],
            ),
        }
        for name, (documentation, values) in gauges.items():
            family = GaugeMetricFamily(name, documentation, labels=["model"])
            for model, value in values:
                family.add_metric([model], value)
            yield family
        yield from alarm_gauges({served.name: served.alarms for served in loaded})


def alarm_gauges(alarms: Mapping[str, Sequence[AlarmReading]]) -> Iterator[Metric]:
    """The alarms of each model. The label `caller` is the name of a key, or empty for the common alarms."""
    revoked = GaugeMetricFamily(
        "tuili_promise_revoked",
        "Whether promises to a caller were revoked, or to all, because requests have changed.",
        labels=["model", "caller"],
    )
    evidence = GaugeMetricFamily(
        "tuili_promise_evidence_ratio",
        "Evidence of an alarm against a promise, as a share of what revokes it.",
        labels=["model", "alarm", "caller"],
    )
    given = GaugeMetricFamily(
        "tuili_promise_given_evidence_ratio",
        "Evidence that a caller has given a common alarm, as a share of what revokes the promise.",
        labels=["model", "alarm", "caller"],
    )
    for model, readings in alarms.items():
        raised = {"": False}
        for reading in readings:
            caller = reading.client or ""
            raised[caller] = raised.get(caller, False) or reading.revoked
            evidence.add_metric([model, reading.name, caller], reading.evidence)
            for client, share in reading.given.items():
                given.add_metric([model, reading.name, client or ANONYMOUS], share)
        for caller, is_revoked in raised.items():
            revoked.add_metric([model, caller], float(is_revoked))
    yield from (revoked, evidence, given)
