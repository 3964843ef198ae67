"""Events reach the tasks that wait for them, in order, and a loop is woken once for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tuili.engine.delivery import Delivery, Mailbox
from tuili.engine.events import TokenWritten
from tuili.errors import TuiliError


def token(text: str) -> TokenWritten:
    return TokenWritten(1, text, 3)


def test_a_task_takes_all_that_has_come_and_waits_for_more() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        delivery, mailboxes = Delivery(), [Mailbox(loop), Mailbox(loop)]
        taking = [asyncio.create_task(mailbox.take()) for mailbox in mailboxes]
        await asyncio.sleep(0)
        for text in ("a", "b"):
            for mailbox in mailboxes:
                delivery.add(mailbox, token(text))
        assert not any(task.done() for task in taking), "nothing comes before it is sent"
        delivery.send()
        assert await asyncio.gather(*taking) == [[token("a"), token("b")]] * 2
        delivery.add(mailboxes[0], token("c"))
        delivery.send()
        await asyncio.sleep(0)
        assert await mailboxes[0].take() == [token("c")]

    asyncio.run(main())


def test_an_error_is_raised_behind_the_events_before_it() -> None:
    async def main() -> None:
        delivery, mailbox = Delivery(), Mailbox(asyncio.get_running_loop())
        delivery.add(mailbox, token("a"))
        delivery.add(mailbox, TuiliError("no memory"))
        delivery.send()
        assert await mailbox.take() == [token("a")]
        with pytest.raises(TuiliError, match="no memory"):
            await mailbox.take()

    asyncio.run(main())


class CountingLoop:
    """Notes the calls that a loop is asked to make."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], Any]] = []

    def call_soon_threadsafe(self, call: Callable[[], Any]) -> None:
        self.calls.append(call)


def test_a_loop_that_is_slow_is_woken_once_for_many_steps() -> None:
    loop: Any = CountingLoop()
    delivery, mailbox = Delivery(), Mailbox(loop)
    for text in "abc":
        delivery.add(mailbox, token(text))
        delivery.send()
    assert len(loop.calls) == 1
    loop.calls[0]()
    assert asyncio.run(mailbox.take()) == [token(text) for text in "abc"]
    delivery.send()
    assert len(loop.calls) == 1, "nothing has come since"
    delivery.add(mailbox, token("d"))
    delivery.send()
    assert len(loop.calls) == 2


def test_a_loop_that_has_been_closed_is_forgotten() -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    delivery = Delivery()
    delivery.add(Mailbox(loop), token("a"))
    delivery.send()
    delivery.send()
    assert not delivery._posts
