"""The engine for asyncio: it runs in its own thread, and tasks of any event loop await answers or events."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import aclosing, suppress
from functools import partial
from queue import SimpleQueue
from threading import Lock, Thread
from types import TracebackType
from typing import TypeVar

from tuili.engine.answer import Answer
from tuili.engine.delivery import Delivery, Mailbox
from tuili.engine.engine import Engine, PreparedRequest, Ticket
from tuili.engine.events import Answered, Event
from tuili.engine.request import Request
from tuili.engine.runtime.runner import Observation
from tuili.errors import TuiliError

MAX_COMMAND_SECONDS = 0.002
"""Time limit for commands between two steps, so that many new requests do not hold up running ones."""
PATIENCE_SECONDS = 0.016
"""How long tokens wait for others of their request while the engine is busy, except for the first visible text. It is
one frame of a screen, so nobody sees the difference; sending a token costs as much as decoding it in a small
model."""
SWITCH_SECONDS = 0.0005
"""While a service is open, how long a thread waits for Python's lock before it gets it. The default is ten times as
long, and for that long an event loop alongside a busy engine cannot answer anybody."""
_INTERVALS, _INTERVALS_LOCK = list[float](), Lock()
"""The switch interval that each open service found. The last one to close restores what the first one found."""

Result = TypeVar("Result")
Command = tuple[Callable[[], None], Callable[[Exception], None]]
"""What the engine's thread should do, and what it does instead if the engine has already failed."""


class Closed(TuiliError):
    """The service accepts no more requests."""


class _Call:
    """A request in progress, with the mailbox in which its task waits for events or for the error that ends them."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.mailbox = Mailbox(loop)
        self.ticket: Ticket | None = None
        """Set once the request has been admitted."""
        self.withdrawn = False


class Service:
    """Use it as `async with Service(engine) as service:`, and call `answer`, `stream` or `batches`.

    Requests may come from any task of any event loop. Those still running at the end of the block are cancelled.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._live = set[_Call]()
        """Requests that have been admitted but not answered."""
        self._delivery, self._sent_at = Delivery(), 0.0
        """The entries to be delivered, and when all of them were last sent, in seconds."""
        self._lock = Lock()
        self._commands: SimpleQueue[Command | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name="engine", daemon=True)
        self._open = False
        self._streams = 0

    @property
    def alive(self) -> bool:
        """Whether it accepts requests."""
        return self._open

    async def __aenter__(self) -> Service:
        self._open = True
        self._thread.start()
        with _INTERVALS_LOCK:
            _INTERVALS.append(sys.getswitchinterval())
            sys.setswitchinterval(min(SWITCH_SECONDS, _INTERVALS[-1]))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()
        try:
            await asyncio.to_thread(self._thread.join)
        finally:
            with _INTERVALS_LOCK:
                before = _INTERVALS.pop()
                if not _INTERVALS:
                    sys.setswitchinterval(before)

    async def observe(self) -> Observation | None:
        """`Engine.observe`, between two steps."""
        return await asyncio.wrap_future(self._result_of(self._engine.observe))

    async def drained(self) -> None:
        """Wait until all requests have been answered."""
        while self._open and self._streams:
            await asyncio.sleep(0.01)

    async def answer(self, request: Request | PreparedRequest) -> Answer:
        """Answer one request. Cancelling the task cancels the request. Raises what `Engine.admit` raises."""
        async with aclosing(self.batches(request, streamed=False)) as batches:
            async for events in batches:
                if isinstance(events[-1], Answered):
                    return events[-1].answer
        raise AssertionError("a request ends with its answer")

    async def stream(self, request: Request | PreparedRequest) -> AsyncIterator[Event]:
        """The events of one request as they arrive, `Answered` last. Closing the iterator cancels the request."""
        async with aclosing(self.batches(request)) as batches:
            async for events in batches:
                for event in events:
                    yield event

    async def batches(
        self, request: Request | PreparedRequest, *, streamed: bool = True
    ) -> AsyncGenerator[list[Event], None]:
        """Like `stream`, but yields together all events that have arrived since the last ones were taken.

        Args:
            streamed: whether tokens and steps are reported too, or only the answer.
        """
        self._streams += 1
        call, ended = _Call(asyncio.get_running_loop()), False
        try:
            prepared = request
            if isinstance(prepared, Request):
                prepared = await asyncio.to_thread(self._engine.prepare, prepared)
            fail = partial(self._delivery.add, call.mailbox)
            self._post(partial(self._admit, call, prepared, streamed), fail)
            while not ended:
                batch = await call.mailbox.take()
                ended = isinstance(batch[-1], Answered)
                yield batch
        finally:
            self._streams -= 1
            if not ended:
                self._withdraw(call)

    def _withdraw(self, call: _Call) -> None:
        """Cancel a request that nobody is waiting for any more."""

        def cancel() -> None:
            if call.ticket is not None:
                self._engine.cancel(call.ticket)

        call.withdrawn = True
        with suppress(Closed):  # a closed service has already cancelled everything
            self._post(cancel, lambda _: None)

    def _post(self, run: Callable[[], None], fail: Callable[[Exception], None]) -> None:
        """Run a command in the engine's thread, between two steps. `fail` is called if the engine has failed."""
        with self._lock:
            if not self._open:
                raise Closed("the engine has been closed: it takes no more requests")
            self._commands.put((run, fail))

    def _result_of(self, function: Callable[[], Result]) -> Future[Result]:
        """A future for what a function returns or raises in the engine's thread."""
        future: Future[Result] = Future()

        def run() -> None:
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(function())
                except Exception as error:
                    future.set_exception(error)

        def fail(error: Exception) -> None:
            if future.set_running_or_notify_cancel():
                future.set_exception(error)

        self._post(run, fail)
        return future

    def _close(self) -> None:
        """Accept no more commands. The thread ends after those already accepted."""
        with self._lock:
            self._open = False
            self._commands.put(None)

    # Methods run by the engine's thread

    def _admit(self, call: _Call, prepared: PreparedRequest, streamed: bool) -> None:
        def listen(event: Event) -> None:
            if isinstance(event, Answered):
                self._live.discard(call)
            self._delivery.add(call.mailbox, event)

        if call.withdrawn:
            return
        self._live.add(call)
        try:
            call.ticket = self._engine.admit_prepared(prepared, listen, streamed=streamed)
        except Exception as error:
            self._live.discard(call)
            self._delivery.add(call.mailbox, error)

    def _send(self, urgent_only: bool = False) -> None:
        """Send all pending entries, or only the urgent ones."""
        if self._delivery.send(urgent_only=urgent_only) and not urgent_only:
            self._sent_at = time.perf_counter()

    def _run(self) -> None:
        """Alternate between commands and a step until the service is closed."""
        try:
            while self._run_commands():
                self._engine.step()
                self._send(urgent_only=time.perf_counter() < self._sent_at + PATIENCE_SECONDS)
        except Exception as error:
            self._close()
            failure = TuiliError(f"the engine has failed: {error!r}")
            failure.__cause__ = error
            for call in self._live:
                self._delivery.add(call.mailbox, failure)
            self._live.clear()
            while (command := self._commands.get()) is not None:
                command[1](failure)
            raise
        finally:
            self._send()

    def _run_commands(self) -> bool:
        """Run posted commands: briefly while the engine is busy, otherwise until it is. Returns False once closed."""
        until = time.perf_counter() + MAX_COMMAND_SECONDS
        while not self._engine.busy or (not self._commands.empty() and time.perf_counter() < until):
            if not self._engine.busy:
                self._send()
            command = self._commands.get()
            if command is None:
                for call in list(self._live):
                    assert call.ticket is not None
                    self._engine.cancel(call.ticket)
                return False
            command[0]()
        return True
