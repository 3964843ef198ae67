"""Where routes hand requests in: several at once, with quotas kept, all counted, and errors as HTTP has them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

from fastapi import Request as HttpRequest

from tuili.engine.answer import Answer
from tuili.engine.events import Answered, Event
from tuili.engine.request import Request
from tuili.errors import TuiliError
from tuili.serve.errors import HttpError, of_engine
from tuili.serve.keys import Caller
from tuili.serve.metrics import Listener, Metrics
from tuili.serve.models import Models, Served

Told = AsyncGenerator[tuple[int, Event], None]
Json = dict[str, Any]


class Desk:
    """Takes requests of one caller to one model."""

    def __init__(self, served: Served, metrics: Metrics, caller: Caller) -> None:
        self.served, self._metrics, self._caller = served, metrics, caller

    @classmethod
    def of(cls, http: HttpRequest, model: str) -> Desk:
        """The desk for a request over HTTP. Raises `HttpError` for a model that is not served."""
        models: Models = http.app.state.models
        served = models.find(model)
        http.state.model = served.name
        return cls(served, http.app.state.metrics, http.state.caller)

    async def answers(self, requests: Sequence[Request]) -> list[Answer]:
        """The answers to some requests, which are answered together. If one is refused, so are all."""
        found: dict[int, Answer] = {}
        async with aclosing(self.events(requests)) as events:
            async for index, event in events:
                if isinstance(event, Answered):
                    found[index] = event.answer
        return [found[index] for index in range(len(requests))]

    async def events(self, requests: Sequence[Request]) -> Told:
        """The events of some requests as they come, each with the number of its request. Closing it cancels them.

        Raises `HttpError` for what is refused, by the engine or for want of quota.
        """
        self._caller.begin(len(requests))
        queue: asyncio.Queue[tuple[int, Event] | TuiliError] = asyncio.Queue()
        tasks = [asyncio.ensure_future(self._follow(index, own, queue)) for index, own in enumerate(requests)]
        left = len(tasks)
        try:
            while left:
                found = await queue.get()
                if isinstance(found, TuiliError):
                    raise self._refused(found)
                left -= isinstance(found[1], Answered)
                yield found
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self, index: int, request: Request, queue: asyncio.Queue[tuple[int, Event] | TuiliError]) -> None:
        listener = Listener(self._metrics, self.served.name, request, time.perf_counter())
        try:
            async with aclosing(self.served.service.stream(request)) as events:  # type: ignore[type-var]
                async for event in events:
                    listener.hears(event, time.perf_counter())
                    if isinstance(event, Answered):
                        tokens = event.answer.receipt.tokens
                        self._caller.spent(tokens["prompt"] + tokens["generated"])
                    await queue.put((index, event))
        except TuiliError as error:
            await queue.put(error)

    def _refused(self, error: TuiliError) -> HttpError:
        found = of_engine(error)
        self._metrics.refused.labels(self.served.name, found.code or "other").inc()
        return found


async def begun(events: AsyncGenerator[Json, None]) -> AsyncIterator[Json]:
    """The same events once the first has come: what is refused is refused before a stream begins, with its status."""
    first = await anext(events)

    async def all_of_them() -> AsyncIterator[Json]:
        async with aclosing(events):
            yield first
            async for event in events:
                yield event

    return all_of_them()


async def server_sent(events: AsyncIterator[Json], *, named: bool = False) -> AsyncIterator[str]:
    """Server-sent events; `named` by their `type`, else ending in `[DONE]`. An error in their midst is told as one."""
    async with aclosing(events):  # type: ignore[type-var]  # they come from a generator
        try:
            async for event in events:
                yield (f"event: {event['type']}\n" if named else "") + f"data: {_json(event)}\n\n"
            if not named:
                yield "data: [DONE]\n\n"
        except HttpError as error:
            body = error.body if not named else {"type": "error", "sequence_number": 0, **error.body["error"]}
            yield ("event: error\n" if named else "") + f"data: {_json(body)}\n\n"


def _json(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
