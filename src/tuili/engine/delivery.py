"""Events on their way from the engine's thread to tasks of event loops.

A loop is woken at once for the first event of a request and for its answer. Other events wait until the loop looks,
which it does every few milliseconds as long as any come: to be woken for each token costs more than the token.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress

from tuili.engine.events import Answered, Event
from tuili.errors import TuiliError

LOOK_SECONDS = 0.002
"""From one look of a loop to the next. Nobody who reads sees that tokens come in pairs."""


class Mailbox:
    """What has come for one task of `loop`, which alone uses it. begun: whether anything was ever sent to it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop, self.begun = loop, False
        self._entries: list[Event | TuiliError] = []
        self._waiting: asyncio.Future[None] | None = None

    def put(self, entry: Event | TuiliError) -> None:
        """Add an event, or the error that ends them."""
        self._entries.append(entry)
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def take(self) -> list[Event]:
        """All events since the last call, at least one. Raises the error that ended them, when they have been taken."""
        if not self._entries:
            self._waiting = self.loop.create_future()
            try:
                await self._waiting
            finally:
                self._waiting = None
        entries, self._entries = self._entries, []
        events = [entry for entry in entries if not isinstance(entry, TuiliError)]
        if len(events) < len(entries):
            if not events:
                raise entries[0]  # type: ignore[misc]
            self._entries = entries[len(events) :]
        return events


class _Post:
    """What waits to be handed out in one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._entries: deque[tuple[Mailbox, Event | TuiliError]] = deque()
        self._urgent = self._woken = self._looks = False

    def add(self, mailbox: Mailbox, entry: Event | TuiliError) -> None:
        """Take an entry."""
        if not mailbox.begun or isinstance(entry, Answered | TuiliError):
            mailbox.begun = self._urgent = True
        self._entries.append((mailbox, entry))

    def send(self) -> None:
        """Wake the loop for what waits, unless it will look in time."""
        if self._entries and not self._woken and (self._urgent or not self._looks):
            self._woken, self._urgent = True, False
            self._loop.call_soon_threadsafe(self._hand_out)

    def _hand_out(self) -> None:
        self._woken = False  # before anything is taken: what comes from here on has a call of its own
        while self._entries:
            mailbox, entry = self._entries.popleft()
            mailbox.put(entry)
        if not self._looks:
            self._looks = True
            self._loop.call_later(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        self._looks = False
        if self._entries:
            self._hand_out()


class Delivery:
    """Takes entries in the engine's thread. `send` gives those that were added to the loops of their mailboxes."""

    def __init__(self) -> None:
        self._posts: dict[asyncio.AbstractEventLoop, _Post] = {}

    def add(self, mailbox: Mailbox, entry: Event | TuiliError) -> None:
        """Take an event, or the error that ends them."""
        post = self._posts.get(mailbox.loop)
        if post is None:
            post = self._posts[mailbox.loop] = _Post(mailbox.loop)
        post.add(mailbox, entry)

    def send(self) -> None:
        """Let every loop know what has come for it."""
        for loop, post in list(self._posts.items()):
            with suppress(RuntimeError):
                post.send()
                continue
            del self._posts[loop]  # it has been closed, and nobody waits
