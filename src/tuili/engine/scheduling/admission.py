"""Who is let in and who is begun next: the line of those that wait, and a look ahead over them and those at work.

A request with a deadline is let in only if it and all that were let in before can be expected to end in time. What
things take comes from `costs`; how rows are written, and ended at their deadlines after all, is up to `scheduler`.
"""

from __future__ import annotations

from bisect import bisect, insort
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

from tuili.engine.scheduling.costs import Costs
from tuili.engine.sequence import Row
from tuili.errors import InputError, Overloaded

PATIENCE = 60.0
"""Seconds after which a row without a deadline is as urgent as one whose deadline has come."""
LOOKS = 8
"""Waiting rows that are considered for a free slot."""


@dataclass(frozen=True, order=True)
class Turn:
    """A request's place in the line, which all its attempts keep: lower ones are begun first."""

    rank: int
    """Its priority, negative."""
    due: float
    number: int

    @staticmethod
    def of(row: Row, now: float, number: int) -> Turn:
        """The turn of a row that comes now."""
        return Turn(-row.priority, now + PATIENCE if row.limits.deadline is None else row.limits.deadline, number)


@dataclass(frozen=True)
class Need:
    """A row, and the tokens of its prompt that are still to be read."""

    row: Row
    unread: int


def overdue(now: float, needs: Iterable[Need], slots: int, costs: Costs) -> dict[Row, float]:
    """The rows that would end behind their deadlines, and by how many seconds, if all are done in this order.

    Prompts are read one after the other, `slots` rows are written at a time, and each takes as many tokens as usual.
    """
    late: dict[Row, float] = {}
    ends: list[tuple[float, int, Row]] = []
    ticks, time = 0.0, now + costs.between.of(1) + costs.judge.of(1)

    def end_one() -> None:
        nonlocal ticks, time
        rows = len(ends)
        end, _, row = heappop(ends)
        time += (end - ticks) * costs.pace(rows)
        ticks = end
        if row.limits.deadline is not None and time > row.limits.deadline:
            late[row] = time - row.limits.deadline

    for number, need in enumerate(needs):
        if len(ends) == slots:
            end_one()
        time += costs.to_finish_reading(need.row, need.unread)
        heappush(ends, (ticks + costs.to_come(need.row), number, need.row))
    while ends:
        end_one()
    return late


class Line:
    """The rows that wait, in the order of their turns. `room` of them are taken in; `slots` are written together."""

    def __init__(self, room: int, slots: int, costs: Costs) -> None:
        self._room, self._slots, self._costs = room, slots, costs
        self._entries: list[tuple[Turn, Row]] = []

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Row]:
        return (row for _, row in self._entries)

    def join(self, row: Row, turn: Turn) -> None:
        """Let a row wait."""
        insort(self._entries, (turn, row))

    def leave(self, row: Row) -> None:
        """Let it wait no longer."""
        self._entries = [entry for entry in self._entries if entry[1] is not row]

    def admit(self, row: Row, turn: Turn, now: float, running: Sequence[Need]) -> None:
        """Refuse a newcomer that cannot be kept or expected to be answered in time, or that would make others late.

        Raises `Overloaded`; and `InputError` where its deadline would be too near on an idle machine as well.
        """
        costs, deadline = self._costs, row.limits.deadline
        if len(self) >= self._room:
            wait = len(self) / self._slots * costs.needs(row, self._slots)
            raise Overloaded(f"{len(self)} requests wait already", wait)
        if deadline is None:
            return
        if now + (least := costs.needs_at_least(row)) > deadline:
            raise InputError(
                f"deadline_ms: the deadline is in {1000 * max(0.0, deadline - now):.0f} ms: to read the prompt and "
                f"write a short response takes about {1000 * least:.0f} ms"
            )
        if running or self._entries:
            line = self._promised()
            place = min(bisect(self._entries, turn, key=lambda entry: entry[0]), len(line))
            if late := self._harm(now, running, line, place, Need(row, len(row.prompt))):
                said = "the deadline cannot be met" if row in late else f"{len(late)} others would be late"
                next_end = costs.needs(row, self._slots) / self._slots
                raise Overloaded(f"{said} behind {len(running) + len(self)} requests", max(next_end, *late.values()))

    def hopeless(self, now: float, rows: int) -> list[Row]:
        """Those that would be late if they were begun now beside so many; one that is all alone may try its luck."""
        hurried = [(row, row.limits.deadline) for row in self if row.limits.deadline is not None]
        costs, alone, rows = self._costs, rows + len(self) == 1, min(rows + 1, self._slots)
        return [
            row
            for row, deadline in hurried
            if now + (costs.needs_at_least(row) if alone else costs.needs(row, rows)) >= deadline
        ]

    def next(self, now: float, running: Sequence[Need]) -> Row | None:
        """Take out the first row that may be begun without making others late; any that comes first, if none runs."""
        line = self._promised()
        hurried = bool(line) or any(need.row.limits.deadline is not None for need in running)
        for place, (_, row) in enumerate(self._entries[:LOOKS]):
            others = line[:place] + line[place + 1 :]
            newcomer = Need(row, len(row.prompt))
            if not running or not hurried or not self._harm(now, running, others, 0, newcomer).keys() - {row}:
                del self._entries[place]
                return row
        return None

    def _promised(self) -> list[Need]:
        """Those that wait, up to the last one with a deadline."""
        last = max((place for place, row in enumerate(self) if row.limits.deadline is not None), default=-1)
        return [Need(row, len(row.prompt)) for _, row in self._entries[: last + 1]]

    def _harm(
        self, now: float, running: Sequence[Need], line: Sequence[Need], place: int, newcomer: Need
    ) -> dict[Row, float]:
        """The rows that would be late, and by how much, because of a newcomer at this place; it may be one of them."""
        joined = overdue(now, (*running, *line[:place], newcomer, *line[place:]), self._slots, self._costs)
        if not joined.keys() - {newcomer.row}:
            return joined
        before = overdue(now, (*running, *line), self._slots, self._costs)
        return {row: seconds for row, seconds in joined.items() if row not in before}
