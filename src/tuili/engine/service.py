"""The engine for asyncio: a thread of its own steps it, tasks of one event loop hand requests in and hear of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import aclosing, suppress
from queue import SimpleQueue
from threading import Lock, Thread
from types import TracebackType
from typing import Any, TypeVar

from tuili.engine.answer import Answer
from tuili.engine.engine import Engine, Prepared, Ticket
from tuili.engine.events import Answered, Event
from tuili.engine.request import Request
from tuili.engine.runtime.torch.probe import Observed
from tuili.errors import TuiliError

ATTENTION = 0.002
"""Seconds that commands may take between two steps, so that many newcomers do not hold up those at work."""

Result = TypeVar("Result")
Hearer = Callable[[Event | TuiliError], None]


class Closed(TuiliError):
    """The service takes no more requests."""


class Service:
    """`async with Service(engine) as service:` and then `answer` or `stream`; at the end what is still at work is
    cancelled. Requests may come from any task of any event loop.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._live: dict[Ticket, Hearer] = {}
        self._lock = Lock()
        self._commands: SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name="engine", daemon=True)
        self._open = False
        self._streams = 0

    @property
    def alive(self) -> bool:
        """Whether it takes requests."""
        return self._open

    async def __aenter__(self) -> Service:
        self._open = True
        self._thread.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()
        await asyncio.to_thread(self._thread.join)

    async def observed(self) -> Observed | None:
        """What `Engine.observe` says, between two steps."""
        return await asyncio.wrap_future(self._post(self._engine.observe))

    async def drained(self) -> None:
        """Wait until all that was taken in has been answered."""
        while self._open and self._streams:
            await asyncio.sleep(0.01)

    async def answer(self, request: Request) -> Answer:
        """Answer one request. Cancelling the task cancels it; see `Engine.admit` for what is raised."""
        async for event in self.stream(request):
            if isinstance(event, Answered):
                return event.answer
        raise AssertionError("a request ends with its answer")

    async def stream(self, request: Request | Prepared) -> AsyncIterator[Event]:
        """The events of one request as they come, the last of which is `Answered`. Closing the iterator cancels it. One
        that has been read (`Engine.read`) is not read again.
        """
        self._streams += 1
        try:
            async with aclosing(self._events(request)) as events:
                async for event in events:
                    yield event
        finally:
            self._streams -= 1

    async def _events(self, request: Request | Prepared) -> AsyncGenerator[Event, None]:
        loop, events = asyncio.get_running_loop(), asyncio.Queue[Event | TuiliError]()

        def hear(event: Event | TuiliError) -> None:
            with suppress(RuntimeError):  # the loop has been closed, so nobody waits any more
                loop.call_soon_threadsafe(events.put_nowait, event)

        read = request if isinstance(request, Prepared) else await asyncio.to_thread(self._engine.read, request)
        admission = self._post(lambda: self._admit(read, hear))
        try:
            ticket = await asyncio.wrap_future(admission)
        except asyncio.CancelledError:
            admission.add_done_callback(self._withdraw)
            raise
        try:
            while True:
                event = await events.get()
                if isinstance(event, TuiliError):
                    raise event
                yield event
                if isinstance(event, Answered):
                    return
        finally:
            if ticket.answer is None:
                self._cancel(ticket)

    def _withdraw(self, admission: Future[Ticket]) -> None:
        """Cancel what was admitted after nobody waited for it any more."""
        if not admission.cancelled() and admission.exception() is None:
            self._cancel(admission.result())

    def _cancel(self, ticket: Ticket) -> None:
        with suppress(Closed):  # which cancels everything itself
            self._post(lambda: self._engine.cancel(ticket))

    def _admit(self, read: Prepared, hear: Hearer) -> Ticket:
        def listen(event: Event) -> None:
            if isinstance(event, Answered):
                self._live.pop(ticket, None)
            hear(event)

        ticket = self._engine.admit_read(read, listen)
        self._live[ticket] = hear
        return ticket

    def _post(self, command: Callable[[], Result]) -> Future[Result]:
        """Have the engine's thread do something between two steps."""
        future: Future[Result] = Future()
        with self._lock:
            if not self._open:
                raise Closed("the engine has been closed: it takes no more requests")
            self._commands.put((command, future))
        return future

    def _close(self) -> None:
        """Take no more commands; the thread ends behind those that have been taken."""
        with self._lock:
            self._open = False
            self._commands.put(None)

    def _run(self) -> None:
        """What the engine's thread does: commands first, then a step, until it is closed."""
        try:
            while self._obey():
                self._engine.step()
        except Exception as error:
            self._close()
            failure = TuiliError(f"the engine has failed: {error!r}")
            failure.__cause__ = error
            for hear in self._live.values():
                hear(failure)
            self._live.clear()
            while (entry := self._commands.get()) is not None:
                if entry[1].set_running_or_notify_cancel():
                    entry[1].set_exception(failure)
            raise

    def _obey(self) -> bool:
        """Do what was posted, but a moment only where there is something to step, or wait; false when it is closed."""
        until = time.perf_counter() + ATTENTION
        while not self._engine.busy or (not self._commands.empty() and time.perf_counter() < until):
            entry = self._commands.get()
            if entry is None:
                for ticket in list(self._live):
                    self._engine.cancel(ticket)
                return False
            command, future = entry
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(command())
            except Exception as error:  # belongs to whoever asked
                future.set_exception(error)
        return True
