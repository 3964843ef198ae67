"""A connection that combines writes: a head with its body, and the last pieces of a stream with its end. Each system
call gives the interpreter's lock to the engine's thread, and has to wait for it again.
"""

from __future__ import annotations

import asyncio
from typing import Any


class GatheringTransport:
    """Collects data that is written before the event loop runs its next task, and passes it to the transport in one
    piece. All other attributes are those of the transport.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Write data soon."""
        if not self._pieces:
            self._loop.call_soon(self._flush)
        self._pieces.append(data)

    def close(self) -> None:
        """Close the connection once all data has been sent."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        data, self._pieces = b"".join(self._pieces), []
        if data:
            self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
