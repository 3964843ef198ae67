"""The engine for asyncio: it runs in a thread of its own, and tasks of any event loop await answers or events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import aclosing, suppress
from functools import partial
from queue import SimpleQueue
from threading import Lock, Thread
from types import TracebackType
from typing import Any, TypeVar

from tuili.engine.answer import Answer
from tuili.engine.delivery import Delivery, Mailbox
from tuili.engine.engine import Engine, PreparedRequest, Ticket
from tuili.engine.events import Answered, Event
from tuili.engine.request import Request
from tuili.engine.runtime.runner import Observation
from tuili.errors import TuiliError

MAX_COMMAND_SECONDS = 0.002
"""Time for commands between two steps, so that many new requests do not hold up running ones."""

Result = TypeVar("Result")


class Closed(TuiliError):
    """The service takes no more requests."""


class Service:
    """Use it as `async with Service(engine) as service:`, and call `answer` or `stream`.

    Requests may come from any task of any event loop. Those that are running at the end of the block are cancelled.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._live: dict[Ticket, Mailbox] = {}
        self._delivery = Delivery()
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

    async def observe(self) -> Observation | None:
        """`Engine.observe`, between two steps."""
        return await asyncio.wrap_future(self._post(self._engine.observe))

    async def drained(self) -> None:
        """Wait until all requests have been answered."""
        while self._open and self._streams:
            await asyncio.sleep(0.01)

    async def answer(self, request: Request) -> Answer:
        """Answer one request. Cancelling the task cancels the request. Raises what `Engine.admit` raises."""
        async for event in self.stream(request):
            if isinstance(event, Answered):
                return event.answer
        raise AssertionError("a request ends with its answer")

    async def stream(self, request: Request | PreparedRequest) -> AsyncIterator[Event]:
        """The events of one request as they come, the last of which is `Answered`. Closing the iterator cancels the
        request.
        """
        async with aclosing(self.batches(request)) as batches:
            async for batch in batches:
                for event in batch:
                    yield event

    async def batches(self, request: Request | PreparedRequest) -> AsyncGenerator[list[Event], None]:
        """The same events in lists, each with all that have come since the one before. No list is empty."""
        self._streams += 1
        try:
            async with aclosing(self._batches(request)) as batches:
                async for batch in batches:
                    yield batch
        finally:
            self._streams -= 1

    async def _batches(self, request: Request | PreparedRequest) -> AsyncGenerator[list[Event], None]:
        mailbox, prepared = Mailbox(asyncio.get_running_loop()), request
        if isinstance(prepared, Request):
            prepared = await asyncio.to_thread(self._engine.prepare, prepared)
        admission = self._post(partial(self._admit, prepared, mailbox))
        try:
            ticket = await asyncio.wrap_future(admission)
        except asyncio.CancelledError:
            admission.add_done_callback(self._withdraw)
            raise
        try:
            while True:
                batch = await mailbox.take()
                yield batch
                if isinstance(batch[-1], Answered):
                    return
        finally:
            if ticket.answer is None:
                self._cancel(ticket)

    def _withdraw(self, admission: Future[Ticket]) -> None:
        """Cancel a request that was admitted after its task had been cancelled."""
        if not admission.cancelled() and admission.exception() is None:
            self._cancel(admission.result())

    def _cancel(self, ticket: Ticket) -> None:
        with suppress(Closed):  # a closed service has cancelled everything
            self._post(lambda: self._engine.cancel(ticket))

    def _admit(self, prepared: PreparedRequest, mailbox: Mailbox) -> Ticket:
        def listen(event: Event) -> None:
            if isinstance(event, Answered):
                self._live.pop(ticket, None)
            self._delivery.add(mailbox, event)

        ticket = self._engine.admit_prepared(prepared, listen)
        self._live[ticket] = mailbox
        return ticket

    def _post(self, command: Callable[[], Result]) -> Future[Result]:
        """Run a command in the engine's thread, between two steps."""
        future: Future[Result] = Future()
        with self._lock:
            if not self._open:
                raise Closed("the engine has been closed: it takes no more requests")
            self._commands.put((command, future))
        return future

    def _close(self) -> None:
        """Take no more commands. The thread ends after those that have been taken."""
        with self._lock:
            self._open = False
            self._commands.put(None)

    def _run(self) -> None:
        """The engine's thread: commands, then a step, until the service is closed."""
        try:
            while self._run_commands():
                self._engine.step()
                self._delivery.send()
        except Exception as error:
            self._close()
            failure = TuiliError(f"the engine has failed: {error!r}")
            failure.__cause__ = error
            for mailbox in self._live.values():
                self._delivery.add(mailbox, failure)
            self._delivery.send()
            self._live.clear()
            while (entry := self._commands.get()) is not None:
                if entry[1].set_running_or_notify_cancel():
                    entry[1].set_exception(failure)
            raise

    def _run_commands(self) -> bool:
        """Run posted commands: for a moment while the engine is busy, else until it is. False once closed."""
        until = time.perf_counter() + MAX_COMMAND_SECONDS
        while not self._engine.busy or (not self._commands.empty() and time.perf_counter() < until):
            entry = self._commands.get()
            if entry is None:
                for ticket in list(self._live):
                    self._engine.cancel(ticket)
                self._delivery.send()
                return False
            command, future = entry
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(command())
            except Exception as error:  # it is raised where the command was posted
                future.set_exception(error)
            self._delivery.send()
        return True
