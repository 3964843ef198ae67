"""Counts the work of a piece of code in calls of functions, which no load of the machine changes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType


def count_calls(work: Callable[[], object], events: tuple[str, ...] = ("call", "c_call")) -> int:
    """How many functions `work` calls: written in Python (`call`), built in (`c_call`), or both."""
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in events

    previous = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(previous)
    return calls
