"""Delivery of events from the engine's thread to tasks in event loops. A loop is woken once for all the events it has
not yet seen, however many tasks are waiting and however many steps the engine has made meanwhile.

The first text of a request that a reader sees and its answer are urgent. Other tokens can wait for more tokens of their
request, because handling one token in a task, such as sending it to a client, costs as much as handling ten.
"""

from __future__ import annotations

import asyncio
from collections import deque

from tuili.engine.events import Answered, Event, TokenWritten
from tuili.steps import THINK


class Mailbox:
    """Events that have arrived for one task of `loop`, and are used only by that task. The exception is `held`, which
    belongs to the engine's thread: events not yet sent. begun: whether there has been anything to see.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.held: list[Event | Exception] = []
        self.begun = False
        self._entries: list[Event | Exception] = []
        self._waiting: asyncio.Future[None] | None = None

    def put(self, entries: list[Event | Exception]) -> None:
        """Add events, or the error that ends the stream."""
        self._entries += entries
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def take(self) -> list[Event]:
        """All events since the last call, at least one. Raises the error that ended the stream once they are taken."""
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
    """Entries waiting to be handed out in one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.entries: deque[tuple[Mailbox, list[Event | Exception]]] = deque()
        self._called = False

    def send(self) -> None:
        """Schedule a hand-out of the entries unless one is pending. Raises `RuntimeError` if the loop is closed."""
        if not self._called or self._loop.is_closed():
            self._called = True
            self._loop.call_soon_threadsafe(self._hand_out)

    def _hand_out(self) -> None:
        self._called = False  # before anything is taken: entries added from here on schedule their own call
        while self.entries:
            mailbox, entries = self.entries.popleft()
            mailbox.put(entries)


class Delivery:
    """Collects entries in the engine's thread. `send` passes them to the event loops of their mailboxes."""

    def __init__(self) -> None:
        self._posts: dict[asyncio.AbstractEventLoop, _Post] = {}
        self._urgent: dict[Mailbox, None] = {}
        self._patient: dict[Mailbox, None] = {}

    def add(self, mailbox: Mailbox, entry: Event | Exception) -> None:
        """Add an event, or the error that ends the stream."""
        mailbox.held.append(entry)
        if isinstance(entry, Answered | Exception) or (not mailbox.begun and _is_seen(entry)):
            mailbox.begun = True
            self._urgent[mailbox] = None
        else:
            self._patient[mailbox] = None

    def send(self, *, urgent_only: bool = False) -> bool:
        """Wake every loop that has entries, or urgent entries. Returns whether there were any."""
        due = self._urgent if urgent_only else self._urgent | self._patient
        self._urgent = {}
        for mailbox in due:
            self._patient.pop(mailbox, None)
            self._post(mailbox.loop).entries.append((mailbox, mailbox.held))
            mailbox.held = []
        for loop in {mailbox.loop for mailbox in due}:
            try:
                self._posts[loop].send()
            except RuntimeError:  # the loop is closed, and nobody is waiting
                del self._posts[loop]
        return bool(due)

    def _post(self, loop: asyncio.AbstractEventLoop) -> _Post:
        """The post of a loop. Creating one for a new loop also drops those of loops closed since."""
        if loop not in self._posts:
            self._posts = {other: post for other, post in self._posts.items() if not other.is_closed()}
            self._posts[loop] = _Post(loop)
        return self._posts[loop]


def _is_seen(event: Event) -> bool:
    return isinstance(event, TokenWritten) and event.text.strip() not in ("", THINK)
