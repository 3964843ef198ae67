"""What is done for a client that leaves is given up; and what is written together is sent together."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from tuili.serve.connection import CLIENT_LEFT, WhileConnected
from tuili.serve.errors import HttpError
from tuili.serve.transport import GatheringTransport


class Client:
    """Sends a last piece of its body, and leaves when `left` is set."""

    def __init__(self) -> None:
        self.left, self._messages = asyncio.Event(), ["http.request"]

    async def receive(self) -> Any:
        if self._messages:
            return {"type": self._messages.pop()}
        await self.left.wait()
        return {"type": "http.disconnect"}


def test_work_for_a_client_that_leaves_is_cancelled() -> None:
    async def main() -> None:
        client, cancelled = Client(), []

        async def work() -> None:
            async with WhileConnected(client.receive):
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    cancelled.append(True)
                    raise

        asyncio.get_running_loop().call_later(0.01, client.left.set)
        with pytest.raises(HttpError) as raised:
            await work()
        assert cancelled
        assert raised.value.status == CLIENT_LEFT
        async with asyncio.timeout(10):  # the task can go on, and its own time limits work
            await asyncio.sleep(0)

    asyncio.run(main())


def test_who_stays_gets_what_was_done_and_other_errors_pass() -> None:
    async def main() -> None:
        async with WhileConnected(Client().receive):
            await asyncio.sleep(0.01)
        with pytest.raises(ValueError, match="mine"):
            async with WhileConnected(Client().receive):
                raise ValueError("mine")

        async def work() -> None:
            async with WhileConnected(Client().receive):
                await asyncio.Event().wait()

        task = asyncio.create_task(work())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


class Transport:
    """Notes what is sent."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.sent.append(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


def test_what_is_written_together_is_sent_together_and_before_the_connection_closes() -> None:
    async def main() -> None:
        inner = Transport()
        transport = GatheringTransport(cast("Any", inner), asyncio.get_running_loop())
        for data in (b"a", b"", b"b"):
            transport.write(data)
        assert inner.sent == []
        await asyncio.sleep(0)
        assert inner.sent == [b"ab"]
        transport.write(b"c")
        await asyncio.sleep(0)
        transport.write(b"d")
        assert not transport.is_closing()
        transport.close()
        await asyncio.sleep(0)
        assert inner.sent == [b"ab", b"c", b"d"]
        assert transport.is_closing()

    asyncio.run(main())
