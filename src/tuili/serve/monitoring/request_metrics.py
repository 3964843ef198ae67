"""The metrics of one request: time to the first token and between tokens, depth, and how the request ends."""

from __future__ import annotations

from collections.abc import Sequence

from tuili.engine import Answered, Event, Request, StepJudged, TokenWritten
from tuili.serve.errors import HttpError
from tuili.serve.monitoring.metrics import Metrics


class RequestMetrics:
    """Counts the events of one request, which starts at `now` (seconds), and its end exactly once, however it ends."""

    def __init__(self, metrics: Metrics, model: str, request: Request, now: float) -> None:
        self._metrics, self._model, self.request, self._last_event = metrics, model, request, now
        self._first_token_seconds = metrics.first_token_seconds.labels(model)
        self._inter_token_seconds = metrics.inter_token_seconds.labels(model)
        self._token_depth, self._in_flight = metrics.token_depth.labels(model), metrics.in_flight.labels(model)
        self._prompt_tokens, self._written_tokens = 0, 0
        self._ended = self._read = False
        self._in_flight.inc()

    def observe(self, events: Sequence[Event], now: float) -> None:
        """Count events that arrived together at `now`, in seconds."""
        for event in events:
            if isinstance(event, TokenWritten):
                histogram = self._inter_token_seconds if self._written_tokens else self._first_token_seconds
                histogram.observe(now - self._last_event)
                self._token_depth.observe(event.depth)
                self._last_event, self._written_tokens = now, self._written_tokens + 1
            elif isinstance(event, Answered):
                self._ended = True
                tokens = event.answer.receipt.tokens
                self._prompt_tokens, self._written_tokens = tokens["prompt"], tokens["generated"]
                self._read = event.answer.receipt.layer_steps > 0
                self._metrics.record_answer(self._model, self.request, event.answer)
            else:
                assert isinstance(event, StepJudged)

    def set_prompt_tokens(self, tokens: int) -> None:
        """Note the length of the prompt. It counts from the first token on: until then it may not have been read."""
        self._prompt_tokens = tokens

    def record_error(self, error: HttpError) -> None:
        """Count an error that the client receives instead of an answer."""
        reason = error.code or "other"
        if error.status == 500:
            self.record_unanswered("failed", reason)
        else:
            self._ended = True
            self._metrics.refused.labels(self._model, reason).inc()

    def finish(self) -> int:
        """End the request; without an answer or an error it counts as cancelled. Returns the tokens to charge."""
        self._in_flight.dec()
        if not self._ended:
            self.record_unanswered("cancelled", "cancelled")
        return self._prompt_tokens + self._written_tokens if self._written_tokens or self._read else 0

    def record_unanswered(self, outcome: str, stop: str) -> None:
        """Count a request that ends without an answer, with the tokens that were read and written for it."""
        self._ended = True
        self._metrics.outcomes.labels(self._model, outcome, stop).inc()
        if self._written_tokens:
            self._metrics.tokens.labels(self._model, "prompt").inc(self._prompt_tokens)
            self._metrics.tokens.labels(self._model, "reasoning").inc(self._written_tokens)
