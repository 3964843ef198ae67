"""Admission and start order: the queue of waiting sequences, and a look-ahead over all of them.

A request with a deadline is admitted only if it and all requests admitted before are expected to end in time. `costs`
estimates what work takes. `scheduler` runs the sequences and ends them at their deadlines.
"""

from __future__ import annotations

from bisect import bisect, insort
from collections.abc import Iterable, Iterator
from heapq import heappop, heappush
from typing import NamedTuple

from tuili.engine.scheduling.costs import Costs
from tuili.engine.sequence import Sequence
from tuili.errors import InputError, Overloaded

DEADLINE_WHERE_NONE_SECONDS = 60.0
"""A sequence without a deadline is queued as if it had this one, counted from its arrival."""
MAX_START_CANDIDATES = 8
"""Maximum waiting sequences considered for a free slot."""


class QueueKey(NamedTuple):
    """The position of a request in the queue, shared by all its attempts. Lower keys start first."""

    rank: int
    """Its negated priority."""
    due: float
    """Its deadline, in seconds of the scheduler's clock."""
    number: int

    @staticmethod
    def of(sequence: Sequence, now: float, number: int) -> QueueKey:
        """The key of a sequence that arrives now."""
        deadline = sequence.limits.deadline
        return QueueKey(-sequence.priority, now + DEADLINE_WHERE_NONE_SECONDS if deadline is None else deadline, number)


class PendingWork(NamedTuple):
    """A sequence, and how many tokens of its prompt are still to be read."""

    sequence: Sequence
    unread: int


def predict_late(now: float, works: Iterable[PendingWork], slots: int, costs: Costs) -> dict[Sequence, float]:
    """The sequences that would miss their deadlines, and by how many seconds, if all are run in this order.

    The prediction reads one prompt after another, decodes `slots` sequences together, and lets each take its expected
    number of tokens.
    """
    late: dict[Sequence, float] = {}
    ends: list[tuple[float, int, Sequence]] = []
    steps, time = 0.0, now + costs.between_steps.expected(1) + costs.judge.expected(1) + costs.jitter

    def end_one() -> None:
        nonlocal steps, time
        together = len(ends)
        end, _, sequence = heappop(ends)
        time += (end - steps) * costs.seconds_a_token(together)
        steps = end
        if sequence.limits.deadline is not None and time > sequence.limits.deadline:
            late[sequence] = time - sequence.limits.deadline

    for number, work in enumerate(works):
        if len(ends) == slots:
            end_one()
        time += costs.seconds_to_finish_prompt(work.sequence, work.unread)
        heappush(ends, (steps + costs.expected_tokens_left(work.sequence), number, work.sequence))
    while ends:
        end_one()
    return late


class WaitingQueue:
    """The waiting sequences, ordered by their keys.

    Args:
        capacity: maximum number of waiting sequences.
        slots: sequences that are decoded together.
    """

    def __init__(self, capacity: int, slots: int, costs: Costs) -> None:
        assert min(capacity, slots) >= 1
        self._capacity, self.slots, self._costs = capacity, slots, costs
        self._entries: list[tuple[QueueKey, Sequence]] = []
        self._deadlines = 0

    @property
    def has_deadlines(self) -> bool:
        """Whether any waiting sequence has a deadline."""
        return self._deadlines > 0

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Sequence]:
        return (sequence for _, sequence in self._entries)

    def push(self, sequence: Sequence, key: QueueKey) -> None:
        """Add a sequence."""
        insort(self._entries, (key, sequence))
        self._deadlines += sequence.limits.deadline is not None

    def remove(self, sequence: Sequence) -> None:
        """Remove a sequence, if it is there."""
        left = [entry for entry in self._entries if entry[1] is not sequence]
        if len(left) < len(self._entries):
            self._entries = left
            self._deadlines -= sequence.limits.deadline is not None

    def admit(self, sequence: Sequence, key: QueueKey, now: float, running: list[PendingWork]) -> None:
        """Refuse a newcomer for which there is no room, or that would be late or make others late.

        Raises `Overloaded`; `InputError` if its deadline is too near although the machine is idle. On a busy machine,
        work takes longer and some time has passed before the request is considered, so it may be tried again.
        """
        costs, deadline = self._costs, sequence.limits.deadline
        if len(self) >= self._capacity:
            wait = len(self) / self.slots * costs.expected_seconds(sequence, self.slots)
            raise Overloaded(f"{len(self)} requests wait already", wait)
        if deadline is None:
            return
        if not running and not self._entries:
            if now + (least := costs.min_seconds(sequence) + costs.jitter) > deadline:
                costs.doubt(sequence, deadline - now)
                raise InputError(
                    f"deadline_ms: the deadline is in {1000 * max(0.0, deadline - now):.0f} ms: to read the prompt and "
                    f"write a short response may take {1000 * least:.0f} ms"
                )
            return
        waiting = self._up_to_last_deadline()
        place = min(bisect(self._entries, key, key=lambda entry: entry[0]), len(waiting))
        newcomer = PendingWork(sequence, len(sequence.prompt))
        if late := self._made_late(now, running, waiting, place, newcomer):
            reason = "the deadline cannot be met" if sequence in late else f"{len(late)} others would be late"
            next_end = costs.expected_seconds(sequence, self.slots) / self.slots
            raise Overloaded(f"{reason} behind {len(running) + len(self)} requests", max(next_end, *late.values()))

    def hopeless(self, now: float, running: int) -> list[Sequence]:
        """The waiting sequences that would be late even if they were started now alongside `running` others.

        If nothing else waits or runs, a sequence is hopeless only if even a short response would be late.
        """
        with_deadline = [(each, each.limits.deadline) for each in self if each.limits.deadline is not None]
        costs, alone, together = self._costs, running + len(self) == 1, min(running + 1, self.slots)
        now += costs.jitter
        return [
            sequence
            for sequence, deadline in with_deadline
            if now + (costs.min_seconds(sequence) if alone else costs.expected_seconds(sequence, together)) >= deadline
        ]

    def pop(self, now: float, running: list[PendingWork]) -> Sequence | None:
        """Remove the first sequence that can start without making others late; simply the first one if none runs."""
        waiting = self._up_to_last_deadline()
        free = not running or not (waiting or any(work.sequence.limits.deadline is not None for work in running))
        for place, (_, sequence) in enumerate(self._entries[:MAX_START_CANDIDATES]):
            others = waiting[:place] + waiting[place + 1 :]
            newcomer = PendingWork(sequence, len(sequence.prompt))
            if free or not self._made_late(now, running, others, 0, newcomer).keys() - {sequence}:
                del self._entries[place]
                self._deadlines -= sequence.limits.deadline is not None
                return sequence
        return None

    def _up_to_last_deadline(self) -> list[PendingWork]:
        """The waiting sequences, up to the last one with a deadline."""
        if not self._deadlines:
            return []
        last = max((place for place, each in enumerate(self) if each.limits.deadline is not None), default=-1)
        return [PendingWork(each, len(each.prompt)) for _, each in self._entries[: last + 1]]

    def _made_late(
        self, now: float, running: list[PendingWork], waiting: list[PendingWork], place: int, newcomer: PendingWork
    ) -> dict[Sequence, float]:
        """The sequences that a newcomer at this place would make late, and by how many seconds; possibly itself."""
        order = (*running, *waiting[:place], newcomer, *waiting[place:])
        with_newcomer = predict_late(now, order, self.slots, self._costs)
        if not with_newcomer.keys() - {newcomer.sequence}:
            return with_newcomer
        without = predict_late(now, (*running, *waiting), self.slots, self._costs)
        return {sequence: seconds for sequence, seconds in with_newcomer.items() if sequence not in without}
