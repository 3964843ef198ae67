"""Items come to the tasks of an event loop in order, and the loop is woken no more often than it looks."""

from __future__ import annotations

import asyncio
from threading import Thread

from hypothesis import given
from hypothesis import strategies as st

from tuili.engine.delivery import Carrier, Mailbox


class Counting(Carrier[int]):
    """Counts how often the loop has looked."""

    arrivals = 0

    def _arrive(self) -> None:
        self.arrivals += 1
        super()._arrive()


def test_what_came_together_is_taken_together_after_one_wake_up() -> None:
    async def main() -> None:
        carrier = Counting(asyncio.get_running_loop())
        first, second = Mailbox[int](carrier.loop), Mailbox[int](carrier.loop)
        waiting = asyncio.create_task(first.take())
        await asyncio.sleep(0)
        for item in range(3):
            carrier.load(first, item)
            carrier.load(second, -item)
            carrier.send()
        assert await waiting == [0, 1, 2]
        assert await second.take() == [0, -1, -2]
        assert carrier.arrivals == 1
        carrier.load(first, 3)
        carrier.send()
        assert await first.take() == [3]
        assert carrier.arrivals == 2

    asyncio.run(main())


@given(st.lists(st.integers(0, 2), max_size=60), st.integers(1, 7))
def test_nothing_is_lost_between_threads(boxes: list[int], every: int) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        carrier, mailboxes = Counting(loop), [Mailbox[int](loop) for _ in range(3)]

        def deliver() -> None:
            for item, box in enumerate(boxes):
                carrier.load(mailboxes[box], item)
                if item % every == 0:
                    carrier.send()
            for mailbox in mailboxes:
                carrier.load(mailbox, -1)
            carrier.send()

        async def taken(mailbox: Mailbox[int]) -> list[int]:
            items = list[int]()
            while -1 not in items:
                items += await mailbox.take()
            return items

        thread = Thread(target=deliver)
        thread.start()
        found = await asyncio.gather(*map(taken, mailboxes))
        thread.join()
        assert found == [[*(item for item, one in enumerate(boxes) if one == box), -1] for box in range(3)]

    asyncio.run(main())


def test_a_closed_loop_gets_nothing_and_keeps_nothing() -> None:
    loop = asyncio.new_event_loop()
    carrier = Carrier[int](loop)
    loop.close()
    for _ in range(2):
        carrier.load(Mailbox(loop), 1)
        carrier.send()
    assert not carrier._load
