"""From the engine's thread to the tasks of an event loop: what has come is carried over together.

A loop is woken once for everything that came since it last looked, so that many tokens, of many requests, cost one
wake-up. What is delivered, and who waits for it, is left to `service`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Mailbox(Generic[Item]):
    """What has arrived for one task of an event loop. Only this loop's thread may touch it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop, self._items = loop, list[Item]()
        self._waiting: asyncio.Future[None] | None = None

    def put(self, item: Item) -> None:
        """Add an item, and wake the task if it waits."""
        self._items.append(item)
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def take(self) -> list[Item]:
        """All that has arrived since the last call, at least one item. One task at a time may wait."""
        if not self._items:
            self._waiting = self._loop.create_future()
            await self._waiting
            self._waiting = None
        items, self._items = self._items, []
        return items


class Carrier(Generic[Item]):
    """Carries items from one thread, which calls `load` and `send`, to mailboxes of one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._load = deque[tuple[Mailbox[Item], Item]]()
        self._underway = False
        """Whether the loop has been woken and has not looked yet."""

    def load(self, mailbox: Mailbox[Item], item: Item) -> None:
        """Add an item, which the next `send` sends off."""
        self._load.append((mailbox, item))

    def send(self) -> None:
        """Have the items that were loaded put into their mailboxes. Nobody gets those for a loop that was closed."""
        if self._underway:
            return  # the loop has not looked yet: it clears this before it takes anything
        self._underway = True
        try:
            self.loop.call_soon_threadsafe(self._arrive)
        except RuntimeError:
            self._underway = False
            self._load.clear()

    def _arrive(self) -> None:
        self._underway = False
        while self._load:
            mailbox, item = self._load.popleft()
            mailbox.put(item)
