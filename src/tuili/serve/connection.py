"""Cancels the work on a request if its client disconnects."""

from __future__ import annotations

import asyncio
from types import TracebackType

from starlette.types import Receive

from tuili.serve.errors import HttpError

CLIENT_LEFT = 499
"""The status of requests whose client has disconnected. It appears only in the log and the metrics."""


class WhileConnected:
    """Use it as `async with WhileConnected(receive):`. If the client disconnects, the block is cancelled and raises
    `HttpError` with the status `CLIENT_LEFT`. receive: the `Receive` of a request whose body has been read.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive, self._left = receive, False

    async def __aenter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._working = task
        self._watching = asyncio.create_task(self._watch())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watching.cancel()
        if self._left and kind is asyncio.CancelledError and self._working.uncancel() == 0:
            raise HttpError(CLIENT_LEFT, "the client has left", "cancelled") from None

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._left = True
        self._working.cancel()
