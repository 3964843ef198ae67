"""Reports progress of long work: how far it is, and how long the rest takes. A Ctrl-C ends the work between parts.

The log reports the steps of a recovery.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

Tell = Callable[[str], None]
Item = TypeVar("Item")
TOLD_SECONDS = 15.0
"""The least time between two lines about the same work; shorter work reports nothing."""


def _go_on() -> None:
    """Nothing ends the work."""


class Watch:
    """Watches over the work of a session."""

    def __init__(
        self, tell: Tell, check: Callable[[], None] = _go_on, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """check: is called before each part of any work; an exception from it ends the work. clock: returns seconds."""
        self._tell, self.check, self.clock = tell, check, clock

    def tell(self, line: str) -> None:
        """Report a line to the reader, unless the work is to end."""
        self.check()
        self._tell(line)

    def work(self, what: str, count: int, unit: str) -> Work:
        """Work of `count` parts that begins now, such as `decomposition` of 84 `matrices`."""
        return Work(self, what, count, unit)

    def counted(self, items: Sequence[Item], what: str, unit: str) -> Iterator[Item]:
        """Yield the items one by one; each is a part of a work."""
        work = self.work(what, len(items), unit)
        for done, item in enumerate(items):
            work.at(done)
            yield item


class Work:
    """One work whose parts take about equally long."""

    def __init__(self, watch: Watch, what: str, count: int, unit: str) -> None:
        self._watch, self._what, self._count, self._unit = watch, what, count, unit
        self._begun = self._told = watch.clock()

    def at(self, done: int) -> None:
        """Note that this many parts are done."""
        self._watch.check()
        now = self._watch.clock()
        if 0 < done < self._count and now - self._told >= TOLD_SECONDS:
            self._told = now
            left = duration((now - self._begun) * (self._count - done) / done)
            self._watch.tell(f"{self._what}: {done:,} of {self._count:,} {self._unit}, about {left} left")


def duration(seconds: float) -> str:
    """A duration for readers, in a suitable unit."""
    unit, name = _unit(seconds)
    return f"{seconds / unit:{'.1f' if name == 'hours' else '.0f'}} {name}"


def shares_of_time(parts: Mapping[str, float]) -> str:
    """The time of each part, for readers: its seconds by its name, shown in the unit of the whole."""
    unit, _ = _unit(sum(parts.values()))
    return ", ".join(f"{name} {_share(seconds / unit)}" for name, seconds in parts.items())


def _unit(seconds: float) -> tuple[int, str]:
    minutes = round(seconds / 60)
    return (1, "s") if minutes < 2 else (60, "minutes") if minutes < 120 else (3600, "hours")


def _share(count: float) -> str:
    return f"{count:.0f}" if count >= 9.95 else f"{count:.1f}" if count >= 0.05 else "under 0.1"
