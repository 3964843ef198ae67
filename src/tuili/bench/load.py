"""How a server bears load: many questions over HTTP, in an open or a closed loop, timed from outside.

Closed: so many clients ask one question after the other. Open: questions come at random (Poisson), whatever became of
those before, as the world's do; only so can a queue grow. Any server of OpenAI's chat API will do.
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
WAIT = 300.0
"""Seconds after which an answer is given up."""


@dataclass(frozen=True)
class LoadSettings:
    """clients: of a closed loop, None for an open one of `rate` questions a second. budget: that of each request.
    first_ms, whole_ms: what a good answer takes at most until its first token, and in all.

    Raises `InputError` for what cannot be.
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
class Asked:
    """One question: HTTP status (0 where the connection failed or the answer broke off), seconds to the first token and
    in all, tokens, and when it ended, in seconds since the beginning.
    """

    status: int
    whole: float
    ended: float = 0.0
    first: float | None = None
    tokens: int = 0
    outcome: str = ""


async def load(settings: LoadSettings, questions: Sequence[str], tell: Callable[[str, int, int], None]) -> list[Asked]:
    """Ask for so long as the settings say, and wait for the answers to all that was asked.

    Raises `TuiliError` where nobody answers at all.
    """
    headers = {"authorization": f"Bearer {settings.key}"} if settings.key else {}
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=1024)
    async with httpx2.AsyncClient(headers=headers, timeout=WAIT, limits=limits) as client:
        asked: list[Asked] = []
        numbers = count()

        async def ask() -> None:
            question = questions[next(numbers) % len(questions)]
            asked.append(await _ask(client, settings, question, start))
            tell("answered", len(asked), 0)

        start = time.perf_counter()
        until = start + settings.seconds
        if settings.clients is not None:
            await asyncio.gather(*(_again(ask, until) for _ in range(settings.clients)))
        else:
            await asyncio.gather(*[task async for task in _arrivals(ask, settings, until)])
    if not any(one.status for one in asked):
        raise TuiliError(f"nobody answers at {settings.url}: is the server up?")
    return asked


async def _again(ask: Callable[[], Any], until: float) -> None:
    while time.perf_counter() < until:
        await ask()


async def _arrivals(ask: Callable[[], Any], settings: LoadSettings, until: float) -> AsyncIterator[asyncio.Task[None]]:
    rng, due = Random(settings.seed), time.perf_counter()
    while (due := due + rng.expovariate(settings.rate or 1)) < until:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        yield asyncio.create_task(ask())


async def _ask(client: httpx2.AsyncClient, settings: LoadSettings, question: str, start: float) -> Asked:
    """One question, streamed."""
    body = {
        "model": settings.model,
        "messages": [{"role": "user", "content": question}],
        "max_tokens": settings.max_tokens,
        "stream": True,
        "stream_options": {"include_usage": True},
        **({"budget": settings.budget} if settings.budget else {}),
    }
    begun, first, tokens, outcome, done = time.perf_counter(), None, 0, "", False
    try:
        async with client.stream("POST", f"{settings.url.rstrip('/')}/v1/chat/completions", json=body) as answer:
            async for line in answer.aiter_lines():
                done = done or line == "data: [DONE]"
                if not line.startswith("data: {"):
                    continue
                event = json.loads(line[6:])
                for choice in event.get("choices", ()):
                    said = choice.get("delta", {})
                    if first is None and (said.get("reasoning_content") or said.get("content")):
                        first = time.perf_counter() - begun
                    outcome = choice.get("receipt", {}).get("outcome", outcome)
                    done = done or choice.get("finish_reason") is not None  # some servers send no [DONE]
                tokens = (event.get("usage") or {}).get("completion_tokens", tokens)
            status = answer.status_code if done or answer.status_code != 200 else 0
    except httpx2.HTTPError:
        status = 0
    now = time.perf_counter()
    if first is None and status == 200:  # an answer without a word, as where it is refused
        first = now - begun
    return Asked(status, now - begun, now - start, first, tokens, outcome)


def report(settings: LoadSettings, asked: Sequence[Asked]) -> dict[str, Any]:
    """Of what ended in the time that was measured: throughput, and goodput, which is answers a second within what is
    good. Of all that was answered: percentiles in milliseconds, for the slowest are those that end late.
    """
    answered = [one for one in asked if one.status == 200 and one.first is not None]
    within = [one for one in answered if one.ended <= settings.seconds]
    good = [one for one in within if one.first * 1e3 <= settings.first_ms and one.whole * 1e3 <= settings.whole_ms]  # type: ignore[operator]
    return {
        "settings": {name: value for name, value in asdict(settings).items() if name != "key"},
        "asked": len(asked),
        "by_status": {str(status): number for status, number in sorted(Counter(one.status for one in asked).items())},
        "by_outcome": dict(Counter(one.outcome for one in answered)),
        "answers_per_second": len(within) / settings.seconds,
        "good_per_second": len(good) / settings.seconds,
        "tokens_per_second": sum(one.tokens for one in within) / settings.seconds,
        "first_ms": _percentiles([1e3 * one.first for one in answered if one.first is not None]),
        "whole_ms": _percentiles([1e3 * one.whole for one in answered]),
    }


def _percentiles(values: Sequence[float]) -> dict[str, float]:
    if len(values) < 2:
        return {f"p{part}": value for part in PERCENTILES for value in values}
    cuts = quantiles(values, n=100, method="inclusive")
    return {f"p{part}": cuts[part - 1] for part in PERCENTILES}
