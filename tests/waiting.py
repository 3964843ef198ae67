"""Waits for events. A limit of time is only there to end a test that hangs: no test passes or fails by the clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

GUARD_SECONDS = 300
"""How long anything may take that is waited for: the machine may be busy."""
LOOK_SECONDS = 0.01

Found = TypeVar("Found")


def eventually(find: Callable[[], Found], missing: str) -> Found:
    """What `find` returns, once that is not empty. `missing` says what was waited for in vain."""
    until = time.monotonic() + GUARD_SECONDS
    while not (found := find()):
        assert time.monotonic() < until, missing
        time.sleep(LOOK_SECONDS)
    return found


async def happened(condition: Callable[[], object], missing: str) -> None:
    """Let other tasks run until the condition holds."""
    until = time.monotonic() + GUARD_SECONDS
    while not condition():
        assert time.monotonic() < until, missing
        await asyncio.sleep(LOOK_SECONDS)
