"""Events reach the tasks that wait for them, in order, and a loop is woken once for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from tuili.engine.delivery import Delivery, Mailbox
from tuili.engine.events import Answered, Event, TokenWritten
from tuili.errors import TuiliError

ANSWERED = Answered(cast("Any", None))


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


class Loop:
    """Notes the calls that it is asked to make, at once and later."""

    def __init__(self) -> None:
        self.woken: list[Callable[[], Any]] = []
        self.later: list[Callable[[], Any]] = []

    def call_soon_threadsafe(self, call: Callable[[], Any]) -> None:
        self.woken.append(call)

    def call_later(self, seconds: float, call: Callable[[], Any]) -> None:
        self.later.append(call)


def test_a_loop_is_woken_for_the_first_event_and_the_last_and_looks_for_those_between() -> None:
    loop: Any = Loop()
    delivery, mailbox, other = Delivery(), Mailbox(loop), Mailbox(loop)

    def send(*entries: Event, to: Mailbox = mailbox) -> None:
        for entry in entries:
            delivery.add(to, entry)
            delivery.send()

    send(*map(token, "abc"))
    assert len(loop.woken) == 1, "it has not come to it yet"
    loop.woken[0]()
    assert asyncio.run(mailbox.take()) == [token(text) for text in "abc"]
    send(token("d"))
    assert (len(loop.woken), len(loop.later)) == (1, 1)
    loop.later[0]()
    assert asyncio.run(mailbox.take()) == [token("d")]
    send(token("e"), to=other)
    assert len(loop.woken) == 2, "a second request begins"
    loop.woken[1]()
    send(ANSWERED)
    assert len(loop.woken) == 3
    loop.woken[2]()
    assert len(loop.later) == 2, "it looks once at a time"
    loop.later[1]()
    assert len(loop.later) == 2, "nothing has come, so it looks no more"
    send(token("f"), to=other)
    assert len(loop.woken) == 4, "and is woken again"
    delivery.send()
    assert len(loop.woken) == 4


def test_a_loop_that_has_been_closed_is_forgotten() -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    delivery = Delivery()
    delivery.add(Mailbox(loop), token("a"))
    delivery.send()
    delivery.send()
    assert not delivery._posts
