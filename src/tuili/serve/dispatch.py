"""Where routes hand requests in: several at once, with quotas kept, all counted, and errors as HTTP has them."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, TypeVar

from fastapi import Request as HttpRequest

from tuili.engine import Answer, Answered, Closed, Event, Outcome, Request
from tuili.errors import TuiliError
from tuili.serve.errors import HttpError, of_engine
from tuili.serve.keys import Caller
from tuili.serve.metrics import Listener, Metrics
from tuili.serve.models import Models, Served
from tuili.serve.schemas.structured import Form, in_form
from tuili.serve.traces import Traces

LOG = logging.getLogger(__name__)
PROMPTS = {"/v1/completions": "prompt", "/v1/responses": "input"}
"""What routes call the question that others call `messages`."""
Told = AsyncGenerator[tuple[int, Event], None]
Json = Mapping[str, Any]
Heard = asyncio.Queue[tuple[int, Event] | HttpError]
Sent = TypeVar("Sent", bound=Json)
Result = TypeVar("Result")


class Desk:
    """Takes requests of one caller to one model."""

    def __init__(self, served: Served, http: HttpRequest, form: Form | None) -> None:
        self.served, self._http, self._form = served, http, form
        self._models: Models = http.app.state.models
        self._metrics: Metrics = http.app.state.metrics
        self._traces: Traces = http.app.state.traces
        self._caller: Caller = http.state.caller

    @classmethod
    def of(cls, http: HttpRequest, model: str, form: Form | None = None) -> Desk:
        """The desk for a request over HTTP that wants answers in some form. Raises `HttpError` for a model that is not
        served.
        """
        models: Models = http.app.state.models
        served = models.find(model)
        http.state.model = served.name
        return cls(served, http, form)

    async def answers(self, requests: Sequence[Request]) -> list[Answer]:
        """The answers to some requests, which are answered together. If one is refused, so are all; if the client
        leaves, all are cancelled.
        """
        return await self._while_it_waits(self._all(requests))

    async def begun(self, events: AsyncGenerator[Sent, None]) -> AsyncIterator[Sent]:
        """The same events once the first has come: what is refused is refused with a status, before a stream begins."""
        first = await self._while_it_waits(anext(events))

        async def all_of_them() -> AsyncIterator[Sent]:
            async with aclosing(events):
                yield first
                async for event in events:
                    yield event

        return all_of_them()

    async def _while_it_waits(self, work: Awaitable[Result]) -> Result:
        """The result of some work, which is cancelled if the client leaves."""
        working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(self._left())
        try:
            await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise HttpError(499, "the client has left", "cancelled")
            return working.result()
        finally:
            for task in (working, leaving):
                task.cancel()
            await asyncio.gather(working, leaving, return_exceptions=True)

    async def _left(self) -> None:
        """Returns when the client has left."""
        while (await self._http.receive())["type"] != "http.disconnect":
            pass

    async def _all(self, requests: Sequence[Request]) -> list[Answer]:
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
        http, model = self._http, self.served.name
        with self._traces.begin(http.headers, http.url.path, model, requests, http.state.request_id) as call:
            counted = self._caller.begin(len(requests), sum(request.budget.max_tokens for request in requests))
            queue: Heard = asyncio.Queue()
            now = time.perf_counter()
            listeners = [Listener(self._metrics, model, request, now) for request in requests]
            tasks = [asyncio.ensure_future(self._follow(index, one, queue)) for index, one in enumerate(listeners)]
            left = len(tasks)
            try:
                while left:
                    found = await queue.get()
                    if isinstance(found, HttpError):
                        raise found
                    call.hears(*found)
                    if isinstance(found[1], Answered):
                        left -= 1
                        _given(found[1].answer)
                    yield found
            finally:
                for task in tasks:
                    task.cancel()
                self._caller.spent(sum(listener.ends() for listener in listeners), counted)
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self, index: int, listener: Listener, queue: Heard) -> None:
        """Hand on what is heard of a request. One that came as its model was replaced goes to the new one."""
        try:
            while True:
                served = self._models.find(self.served.name)
                try:
                    read = await asyncio.to_thread(served.engine.prepare, listener.request)
                    listener.reads(len(read.ids))
                    async with aclosing(served.service.stream(read)) as events:  # type: ignore[type-var]
                        async for event in events:
                            if isinstance(event, Answered):
                                event = Answered(in_form(event.answer, self._form))
                            listener.hears(event, time.perf_counter())
                            await queue.put((index, event))
                    return
                except Closed:
                    if self._models.find(self.served.name) is served:
                        raise
        except Exception as error:
            failure = self._failure(error)
            listener.fails(failure)
            await queue.put(failure)

    def _failure(self, error: Exception) -> HttpError:
        """What the client is told of an error."""
        if isinstance(error, HttpError):
            return error
        if isinstance(error, TuiliError):
            return of_engine(error, PROMPTS.get(self._http.url.path, "messages"))
        LOG.error("a request has failed", exc_info=error)
        return HttpError(500, f"an error inside the server: {type(error).__name__}", "server_error")


def _given(answer: Answer) -> None:
    """Raise for what was answered in no way: it was cancelled by the end of the server, or has failed."""
    if answer.receipt.outcome is Outcome.CANCELLED:
        raise HttpError(503, "the server is shutting down", "shutting_down", retry_after=5)
    if answer.receipt.outcome is Outcome.FAILED:
        raise HttpError(500, "an error inside the engine; the server's log has it", "engine_failed")


async def server_sent(events: AsyncIterator[Json], *, named: bool = False) -> AsyncIterator[str]:
    """Server-sent events; `named` by their `type`, else ending in `[DONE]`. An error in their midst is told as one."""
    told = 0
    async with aclosing(events):  # type: ignore[type-var]  # they come from a generator
        try:
            async for event in events:
                told += 1
                yield (f"event: {event['type']}\n" if named else "") + f"data: {_json(event)}\n\n"
            if not named:
                yield "data: [DONE]\n\n"
        except HttpError as error:
            body = error.body if not named else {**error.body["error"], "type": "error", "sequence_number": told}
            yield ("event: error\n" if named else "") + f"data: {_json(body)}\n\n"


def _json(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
