"""Merges several asynchronous generators into one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TypeVar

Item = TypeVar("Item")


async def merged(sources: Sequence[AsyncGenerator[Item, None]]) -> AsyncGenerator[Item, None]:
    """Yield the items of all sources as they arrive. An error in one ends all. A single source needs no extra task."""
    if len(sources) == 1:
        async with aclosing(sources[0]) as source:
            async for item in source:
                yield item
        return
    queue: asyncio.Queue[Item | Exception | None] = asyncio.Queue()
    tasks = [asyncio.create_task(_forward(source, queue)) for source in sources]
    try:
        running = len(tasks)
        while running:
            entry = await queue.get()
            if isinstance(entry, Exception):
                raise entry
            if entry is None:
                running -= 1
            else:
                yield entry
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _forward(source: AsyncGenerator[Item, None], queue: asyncio.Queue[Item | Exception | None]) -> None:
    """Put all items of a generator into the queue, and then its error, or None."""
    try:
        async with aclosing(source):
            async for item in source:
                queue.put_nowait(item)
    except Exception as error:
        queue.put_nowait(error)
    else:
        queue.put_nowait(None)
