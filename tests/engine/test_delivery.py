"""Events reach the tasks that wait for them, in order, and a loop is woken once for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from threading import Thread
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


class CountingLoop:
    """Notes the calls that a loop is asked to make."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], Any]] = []

    def is_closed(self) -> bool:
        return False

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


def test_only_the_first_text_to_be_seen_and_the_answer_are_urgent() -> None:
    loop: Any = CountingLoop()
    delivery, mailbox, other = Delivery(), Mailbox(loop), Mailbox(loop)

    def sent(*entries: Event, to: Mailbox = mailbox) -> bool:
        for entry in entries:
            delivery.add(to, entry)
        return delivery.send(urgent_only=True)

    assert not sent(token("<think>"), token("\n"))
    assert sent(token("a"))
    assert not sent(token("b"))
    assert sent(token("c"), to=other), "another request begins"
    assert not sent(token("d"))
    assert sent(ANSWERED), "and takes along what waits"
    assert not delivery.send(), "nothing is left"
    loop.calls[0]()
    assert asyncio.run(mailbox.take()) == [*map(token, ("<think>", "\n", "a", "b", "d")), ANSWERED]
    assert asyncio.run(other.take()) == [token("c")]
    assert not sent(token("e"), to=other)
    assert delivery.send(), "in the end all is sent"
    assert len(loop.calls) == 2


def test_a_loop_that_has_been_closed_is_forgotten() -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    delivery = Delivery()
    delivery.add(Mailbox(loop), token("a"))
    delivery.send()
    delivery.send()
    assert not delivery._posts


def test_a_loop_that_is_closed_before_it_hands_out_or_while_it_waits_is_forgotten() -> None:
    loops = [asyncio.new_event_loop() for _ in range(3)]
    delivery, mailboxes = Delivery(), list(map(Mailbox, loops))
    delivery.add(mailboxes[0], token("a"))
    delivery.send()
    loops[0].close()
    delivery.add(mailboxes[0], ANSWERED)
    delivery.send()
    assert not delivery._posts
    for loop, mailbox in zip(loops[1:], mailboxes[1:], strict=True):
        delivery.add(mailbox, ANSWERED)
        delivery.send()
        loop.close()
    assert list(delivery._posts) == loops[2:], "only the last one, which nothing new has followed"


@given(st.lists(st.integers(0, 2), max_size=60), st.integers(1, 7))
def test_nothing_is_lost_between_threads(boxes: list[int], every: int) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        delivery, mailboxes = Delivery(), [Mailbox(loop) for _ in range(3)]

        def deliver() -> None:
            for number, box in enumerate(boxes):
                delivery.add(mailboxes[box], token(str(number)))
                if number % every == 0:
                    delivery.send()
            for mailbox in mailboxes:
                delivery.add(mailbox, token("end"))
            delivery.send()

        async def taken(mailbox: Mailbox) -> list[Event]:
            events = list[Event]()
            while token("end") not in events:
                events += await mailbox.take()
            return events

        thread = Thread(target=deliver)
        thread.start()
        found = await asyncio.gather(*map(taken, mailboxes))
        thread.join()
        for box, events in enumerate(found):
            texts = [*(str(number) for number, one in enumerate(boxes) if one == box), "end"]
            assert events == list(map(token, texts))

    asyncio.run(main())
