"""A server under load: many questions over HTTP, in an open or a closed loop, timed by the client.

In a closed loop, each client asks one question after the other. In an open loop, questions arrive at random (Poisson),
whether or not earlier ones have been answered; only then can a queue grow. Any server with OpenAI's chat API can be
measured. `speed` measures the engine itself.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import count
from random import Random
from statistics import quantiles
from typing import Any

import httpx2

from tuili.errors import InputError, TuiliError

PERCENTILES = (50, 90, 99)
REQUEST_TIMEOUT_SECONDS = 300.0
"""An answer that stays silent for this long is abandoned."""


@dataclass(frozen=True)
class LoadSettings:
    """The load to put on a server for a number of `seconds`.

    clients: the number of clients in a closed loop; None for an open loop. rate: questions per second in an open loop;
    None for a closed one. budget, max_tokens: those of each request. key: the API key. first_ms, whole_ms: the most
    milliseconds that a good answer takes until its first token, and until its end.

    Raises `InputError` for settings that contradict each other or are out of range.
    """

    url: str
    model: str
    clients: int | None = 8
    rate: float | None = None
    seconds: float = 20.0
    budget: dict[str, Any] = field(default_factory=dict)
    max_tokens: int = 400
    key: str | None = None
    first_ms: float = 500.0
    whole_ms: float = 2000.0
    seed: int = 0

    def __post_init__(self) -> None:
        if (self.clients is None) == (self.rate is None):
            raise InputError("clients or rate: give one of them, for a closed or an open loop")
        amount = self.rate if self.clients is None else self.clients
        if amount is None or amount <= 0 or self.seconds <= 0:
            raise InputError("clients, rate and seconds must be above 0")
        if not self.url.startswith(("http://", "https://")):
            raise InputError(f"url {self.url!r}: give one such as http://127.0.0.1:8000")


@dataclass(frozen=True)
class RequestResult:
    """The result of one request.

    status: the HTTP status; 0 if the connection failed or the answer broke off. latency: seconds until the end of the
    answer. ended: seconds from the start of the load to the end of the answer. first_token: seconds until the first
    token. tokens: the number of tokens of the answer. outcome: that of the receipt, if the server sends one.
    """

    status: int
    latency: float
    ended: float = 0.0
    first_token: float | None = None
    tokens: int = 0
    outcome: str = ""


async def run_load(
    settings: LoadSettings, questions: Sequence[str], progress: Callable[[str, int, int], None]
) -> list[RequestResult]:
    """Ask the questions in rotation for the time in the settings, then wait for the outstanding answers.

    Raises `TuiliError` if no request is answered at all.
    """
    headers = {"authorization": f"Bearer {settings.key}"} if settings.key else {}
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=1024)
    async with httpx2.AsyncClient(headers=headers, timeout=REQUEST_TIMEOUT_SECONDS, limits=limits) as client:
        results: list[RequestResult] = []
        numbers = count()

        async def ask() -> None:
            question = questions[next(numbers) % len(questions)]
            results.append(await _ask(client, settings, question, start))
            progress("answered", len(results), 0)

        start = time.perf_counter()
        until = start + settings.seconds
        if settings.clients is not None:
            await asyncio.gather(*(_ask_until(ask, until) for _ in range(settings.clients)))
        else:
            await asyncio.gather(*[task async for task in _arrivals(ask, settings, until)])
    if not any(result.status for result in results):
        raise TuiliError(f"nobody answers at {settings.url}: is the server up?")
    return results


async def _ask_until(ask: Callable[[], Any], until: float) -> None:
    while time.perf_counter() < until:
        await ask()


async def _arrivals(ask: Callable[[], Any], settings: LoadSettings, until: float) -> AsyncIterator[asyncio.Task[None]]:
    rng, due = Random(settings.seed), time.perf_counter()
    while (due := due + rng.expovariate(settings.rate or 1)) < until:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        yield asyncio.create_task(ask())


async def _ask(client: httpx2.AsyncClient, settings: LoadSettings, question: str, start: float) -> RequestResult:
    """Ask one question with a streamed answer."""
    body = {
        "model": settings.model,
        "messages": [{"role": "user", "content": question}],
        "max_tokens": settings.max_tokens,
        "stream": True,
        "stream_options": {"include_usage": True},
        **({"budget": settings.budget} if settings.budget else {}),
    }
    begun, first_token, tokens, outcome, done = time.perf_counter(), None, 0, "", False
    try:
        async with client.stream("POST", f"{settings.url.rstrip('/')}/v1/chat/completions", json=body) as answer:
            async for line in answer.aiter_lines():
                done = done or line == "data: [DONE]"
                if not line.startswith("data: {"):
                    continue
                event = json.loads(line[6:])
                for choice in event.get("choices", ()):
                    delta = choice.get("delta", {})
                    if first_token is None and (delta.get("reasoning_content") or delta.get("content")):
                        first_token = time.perf_counter() - begun
                    outcome = choice.get("receipt", {}).get("outcome", outcome)
                    done = done or choice.get("finish_reason") is not None  # some servers send no [DONE]
                tokens = (event.get("usage") or {}).get("completion_tokens", tokens)
            status = answer.status_code if done or answer.status_code != 200 else 0
    except httpx2.HTTPError:
        status = 0
    now = time.perf_counter()
    if first_token is None and status == 200:  # an answer without a word, such as a refusal
        first_token = now - begun
    return RequestResult(status, now - begun, now - start, first_token, tokens, outcome)


def load_report(settings: LoadSettings, results: Sequence[RequestResult]) -> dict[str, Any]:
    """Throughput, goodput (good answers per second) and latency percentiles in milliseconds.

    Throughput and goodput count the answers that ended within the time in the settings. Percentiles count every answer,
    because the slowest ones end late.
    """
    answered = [result for result in results if result.status == 200 and result.first_token is not None]
    within = [result for result in answered if result.ended <= settings.seconds]
    good = [
        result
        for result in within
        if (result.first_token or 0.0) * 1e3 <= settings.first_ms and result.latency * 1e3 <= settings.whole_ms
    ]
    return {
        "settings": {name: value for name, value in asdict(settings).items() if name != "key"},
        "asked": len(results),
        "by_status": {
            str(status): number for status, number in sorted(Counter(result.status for result in results).items())
        },
        "by_outcome": dict(Counter(result.outcome for result in answered)),
        "answers_per_second": len(within) / settings.seconds,
        "good_per_second": len(good) / settings.seconds,
        "tokens_per_second": sum(result.tokens for result in within) / settings.seconds,
        "first_ms": _percentiles([1e3 * result.first_token for result in answered if result.first_token is not None]),
        "whole_ms": _percentiles([1e3 * result.latency for result in answered]),
    }


def _percentiles(values: Sequence[float]) -> dict[str, float]:
    if len(values) < 2:
        return {f"p{part}": value for part in PERCENTILES for value in values}
    cuts = quantiles(values, n=100, method="inclusive")
    return {f"p{part}": cuts[part - 1] for part in PERCENTILES}
