"""Limits on the time, work and sizes of one rendering of a chat template, and the meter that enforces them.

`template_functions` consults it before making anything that may be larger than its input; `template_sandbox` runs the
template.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import NoneType
from typing import Any, NamedTuple

from jinja2.exceptions import SecurityError
from jinja2.runtime import LoopContext, Macro, Undefined

MAX_SECONDS = 5.0
"""For one rendering; a conversation takes less than a thousandth of that."""
MAX_CHARACTERS = 2**22
"""For a text that a template makes, for all texts of a list together, and for its output."""
MAX_ITEMS = 100_000
"""For a list with everything nested in it. A list nested twice counts twice, since it is written twice."""
MAX_DEPTH = 200
"""For lists in lists."""
MAX_BITS = 2**14
"""For a number; the longest that Python accepts in JSON has 14,285 bits."""
MAX_WORK = 2**28
"""The total number of characters and items that one rendering makes, compares or inspects."""
WORK_OF_A_PIECE = 64
"""The work counted for each piece of the output in addition to its characters, for the memory that it takes."""


class Size(NamedTuple):
    """The size of a value with everything nested in it, as a text or as a list."""

    items: int
    characters: int
    depth: int

    @property
    def total(self) -> int:
        """Items and characters."""
        return self.items + self.characters


def size_of(value: Any) -> Size:
    """The size of a value. Raises `SecurityError` for a value that no template may make.

    A list may contain only data. Anything else has attributes, or a text form, that may grow while it is in the list.
    """
    items, characters, deepest, open_values = 0, 0, 0, [(value, 0)]
    while open_values:
        one, depth = open_values.pop()
        if isinstance(one, str):
            characters += len(one)
        elif isinstance(one, int):
            check_bits(one.bit_length())
        elif isinstance(one, _CONTAINERS):
            items, deepest = items + len(one), max(deepest, depth + 1)
            check_size(items, characters, deepest)
            open_values += [(inner, depth + 1) for inner in one]
            if isinstance(one, dict):
                open_values += [(inner, depth + 1) for inner in one.values()]
        elif depth and not isinstance(one, _DATA):
            raise SecurityError(f"it puts a {type(one).__name__} into a list, which is for data")
    check_size(items, characters)
    return Size(items, characters, deepest)


def check_size(items: int, characters: int, depth: int = 0) -> None:
    """Raise `SecurityError` if a value of this size is too large."""
    if items > MAX_ITEMS:
        raise SecurityError(f"it makes lists of more than {MAX_ITEMS:,} items")
    if characters > MAX_CHARACTERS:
        raise SecurityError(f"it makes texts of more than {MAX_CHARACTERS:,} characters")
    if depth > MAX_DEPTH:
        raise SecurityError(f"it makes lists of more than {MAX_DEPTH} levels")


def check_bits(bits: int) -> None:
    """Raise `SecurityError` if a number with this many bits is too large."""
    if bits > MAX_BITS:
        raise SecurityError(f"it makes numbers of more than {MAX_BITS:,} bits")


class Meter:
    """The time and work that one rendering has used."""

    def __init__(self) -> None:
        self._until, self._work = time.monotonic() + MAX_SECONDS, 0

    def tick(self, work: int = 0) -> None:
        """Record some work. Raises `SecurityError` if the total is too much, or the time is up."""
        self._work += work
        if self._work > MAX_WORK:
            raise SecurityError(f"it takes more than {MAX_WORK:,} steps")
        if time.monotonic() > self._until:
            raise SecurityError(f"it takes longer than {MAX_SECONDS:g} seconds")

    def make(self, characters: int) -> None:
        """Record that a text is about to be made. Raises `SecurityError` if it is too long."""
        check_size(0, characters)
        self.tick(characters)

    def count(self, value: Any) -> Any:
        """Count a value that the template made, and return it; an iterator is wrapped to count what it yields.

        Raises `SecurityError` beyond the limits.
        """
        if isinstance(value, Iterator) and not isinstance(value, LoopContext | CountedIterator):
            return CountedIterator(value)
        size = size_of(value)
        self.tick(len(value) if isinstance(value, str) else size.items)
        return value


METER: ContextVar[Meter] = ContextVar("meter")


@contextmanager
def metered() -> Iterator[None]:
    """Limit what templates do within the block, including compilation."""
    token = METER.set(Meter())
    try:
        yield
    finally:
        METER.reset(token)


class CountedIterator:
    """An iterator that may yield no more than a list may contain."""

    def __init__(self, values: Iterator[Any]) -> None:
        self._values, self._items, self._characters = values, 0, 0

    def __iter__(self) -> CountedIterator:
        return self

    def __next__(self) -> Any:
        value = next(self._values)
        size = size_of((value,))
        self._items, self._characters = self._items + size.items, self._characters + size.characters
        check_size(self._items, self._characters)
        METER.get().tick(size.items)
        return value


class CountedRounds:
    """The values that a loop iterates over; every iteration is counted."""

    def __init__(self, values: Iterable[Any]) -> None:
        self._values = values

    def __iter__(self) -> Iterator[Any]:
        meter = METER.get()
        for value in self._values:
            meter.tick()
            yield value

    def __len__(self) -> int:
        return len(self._values)  # type: ignore[arg-type]  # a loop expects a TypeError from an iterator


_CONTAINERS: tuple[type[Any], ...] = (list, tuple, dict, set, type({}.keys()), type({}.values()), type({}.items()))
_DATA = (float, NoneType, Undefined, range, Macro, CountedIterator)
