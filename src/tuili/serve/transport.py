"""A connection that sends together what is written together: a head with its body, and the last pieces of a stream with
its end. Each call of the system gives the interpreter's lock to the engine's thread, and has to wait for it again.
"""

from __future__ import annotations

import asyncio
from typing import Any


class GatheringTransport:
    """What is written until the event loop comes to its next task goes to the transport in one piece. All else is that
    transport's own.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Write something soon."""
        if not self._pieces:
            self._loop.call_soon(self._flush)
        self._pieces.append(data)

    def close(self) -> None:
        """Close the connection when all has been sent."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        data, self._pieces = b"".join(self._pieces), []
        if data:
            self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
