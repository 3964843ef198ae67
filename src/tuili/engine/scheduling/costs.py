"""What work has lately taken, and so what a row will still need: the base of every look ahead.

Measured by the scheduler and, for what surrounds its ticks, by the engine; what follows from it is decided in
`admission` and `scheduler`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from math import inf

from tuili.engine.sequence import Row

FORGET = 0.1
"""Weight of the newest measurement in a running mean."""
TYPICAL = (15, 30, 60, 120, 240)
"""Tokens of responses, before any has been seen."""
REMEMBERED = 256
"""Responses whose length is remembered."""


class Cost:
    """Seconds that an operation takes by its size, from 1 to `largest`: a line between the two.

    Each end is a running mean of what was measured, nearer sizes counting more.
    """

    def __init__(self, largest: int = 1) -> None:
        self._largest = largest
        self._ends, self._seen = [0.0, 0.0], [0.0, 0.0]

    def saw(self, size: int, seconds: float) -> None:
        """Take in a measurement."""
        if not any(self._seen):
            self._ends = [seconds, seconds]
        error, share = seconds - self.of(size), self._share(size)
        for end, weight in enumerate((1 - share, share)):
            self._seen[end] += weight
            if weight:
                self._ends[end] += weight * max(FORGET, 1 / max(1.0, self._seen[end])) * error

    def of(self, size: int) -> float:
        """What is to be expected; nothing before the first measurement."""
        share = self._share(size)
        return max(0.0, self._ends[0] * (1 - share) + self._ends[1] * share)

    def within(self, seconds: float) -> int:
        """The largest size that takes no longer than that."""
        if self.of(1) > seconds:
            return 0
        rise = self._ends[1] - self._ends[0]
        if rise <= 0:
            return self._largest
        return min(self._largest, 1 + int((self._largest - 1) * (seconds - self._ends[0]) / rise))

    def _share(self, size: int) -> float:
        return (size - 1) / (self._largest - 1) if self._largest > 1 else 0.0


class Lengths:
    """The tokens of the last responses, and what they say about one that is being written."""

    def __init__(self) -> None:
        self._last = deque[float](TYPICAL, maxlen=REMEMBERED)
        self._sorted = sorted(self._last)

    def saw(self, tokens: int, cut: bool = False) -> None:
        """Take in a response; one that was cut is taken to have had as much to come as others at its length."""
        if cut and (left := self.left(tokens)) == inf:
            return
        self._last.append(tokens + (left if cut else 0))
        self._sorted = sorted(self._last)

    def left(self, written: int) -> float:
        """Tokens that half of the responses of this length had still to come; infinite where none was longer."""
        place = bisect_right(self._sorted, written)
        return self._sorted[(place + len(self._sorted) - 1) // 2] - written if place < len(self._sorted) else inf

    @property
    def short(self) -> float:
        """The tokens of a short response: nine of ten are longer."""
        return self._sorted[len(self._sorted) // 10]


class Costs:
    """All that is measured: `read` a piece of a prompt by its tokens; for one step, by its rows, the `trunk` and all
    that is not a group of layers, each `group`, and the `whole`; `between` two ticks; to read a piece of a
    response with the verifier (`verify`), by its tokens; to verify `drafts`, by theirs; to `judge` one; `lengths`.
    """

    def __init__(self, slots: int, chunk: int) -> None:
        self._slots, self._chunk = slots, chunk
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        slots, chunk = self._slots, self._chunk
        self.read, self.verify, self.drafts = Cost(chunk), Cost(chunk), Cost(chunk)
        self.trunk, self.group, self.whole = Cost(slots), Cost(slots), Cost(slots)
        self.between, self.judge = Cost(), Cost()
        self.lengths = Lengths()

    def to_read(self, tokens: int) -> float:
        """Seconds to read so many tokens of a prompt and write the first one behind it."""
        return self.read.of(tokens) if tokens else 0.0

    def to_finish_reading(self, row: Row, unread: int) -> float:
        """Seconds to read the last tokens of a row's prompt, those of a response with the verifier."""
        if row.verify_from is None:
            return self.to_read(unread)
        own = min(unread, len(row.prompt) - row.verify_from)
        return self.to_read(unread - own) + self.verify.of(own)

    def pace(self, rows: int) -> float:
        """Seconds from one token to the next when so many rows are written."""
        return self.whole.of(rows) + self.between.of(1)

    def to_come(self, row: Row) -> float:
        """Tokens that a row will need still, as likely as not, at least one; none where it is only to be read."""
        if row.verify_from is not None:
            return 0.0
        written = len(row.tokens)
        return max(1.0, min(self.lengths.left(written), row.limits.tokens - written))

    def needs(self, row: Row, rows: int) -> float:
        """Seconds until a row that is begun now has been answered, with so many written."""
        reading = self.to_finish_reading(row, len(row.prompt))
        return reading + self.to_come(row) * self.pace(rows) + self.judge.of(1)

    def needs_at_least(self, row: Row) -> float:
        """The same for a short response that is written alone, with the trunk."""
        tokens = min(self.lengths.short, row.limits.tokens) if row.verify_from is None else 1
        return self.to_finish_reading(row, len(row.prompt)) + (tokens - 1) * self.trunk.of(1) + self.judge.of(1)
