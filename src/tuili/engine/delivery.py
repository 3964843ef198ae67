"""Events on their way from the engine's thread to tasks of event loops: a loop is woken once for all that it has not
yet seen, however many tasks wait and however many steps were made meanwhile.
"""

from __future__ import annotations

import asyncio
from collections import deque

from tuili.engine.events import Event


class Mailbox:
    """What has come for one task of `loop`, which alone uses it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._entries: list[Event | Exception] = []
        self._waiting: asyncio.Future[None] | None = None

    def put(self, entry: Event | Exception) -> None:
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
        events = [entry for entry in entries if not isinstance(entry, Exception)]
        if len(events) < len(entries):
            if not events:
                raise entries[0]  # type: ignore[misc]
            self._entries = entries[len(events) :]
        return events


class _Post:
    """What waits to be handed out in one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.entries: deque[tuple[Mailbox, Event | Exception]] = deque()
        self._called = False

    def send(self) -> None:
        """Let the loop hand out what waits, unless it is about to."""
        if not self._called:
            self._called = True
            self._loop.call_soon_threadsafe(self._hand_out)

    def _hand_out(self) -> None:
        self._called = False  # before anything is taken: what comes from here on has a call of its own
        while self.entries:
            mailbox, entry = self.entries.popleft()
            mailbox.put(entry)


class Delivery:
    """Takes entries in the engine's thread. `send` gives those that were added to the loops of their mailboxes."""

    def __init__(self) -> None:
        self._posts: dict[asyncio.AbstractEventLoop, _Post] = {}

    def add(self, mailbox: Mailbox, entry: Event | Exception) -> None:
        """Take an event, or the error that ends them."""
        post = self._posts.get(mailbox.loop)
        if post is None:
            post = self._posts[mailbox.loop] = _Post(mailbox.loop)
        post.entries.append((mailbox, entry))

    def send(self) -> bool:
        """Wake every loop that something has come for. Returns whether there was any."""
        sent = False
        for loop, post in list(self._posts.items()):
            if post.entries:
                sent = True
                try:
                    post.send()
                except RuntimeError:  # it has been closed, and nobody waits
                    del self._posts[loop]
        return sent
