"""Signals that end a run once it is saved."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event, current_thread, main_thread
from types import FrameType

ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Sent by Ctrl-C, by systems that end a process, and when a terminal is closed."""


@contextmanager
def interruptible() -> Iterator[Event]:
    """The first of `ENDING_SIGNALS` sets the event instead of ending the process; the second one ends it, unless it is
    the signal of a closed terminal, which the shell and the system both send, one after the other.

    A signal that this process ignores stays ignored, as with nohup.
    """
    interrupted = Event()
    if current_thread() is not main_thread():  # only the main thread may handle signals
        yield interrupted
        return

    def note(number: int) -> None:
        if interrupted.is_set() and number != signal.SIGHUP:
            raise KeyboardInterrupt
        interrupted.set()

    with hearing_signals(note):
        yield interrupted


@contextmanager
def hearing_signals(note: Callable[[int], object]) -> Iterator[None]:
    """Call `note` with each of `ENDING_SIGNALS` instead of the signal's own effect. Only for the main thread."""
    terminals = [number for number in (1, 2) if os.isatty(number)]

    def handle(number: int, frame: FrameType | None) -> None:
        _leave_closed(terminals)
        note(number)

    heard = [number for number in ENDING_SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, handle) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave_closed(terminals: Sequence[int]) -> None:
    """Redirect closed terminals to the null device: writing to one would fail and end the run before it is saved."""
    for number in terminals:
        if not os.isatty(number):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, number)
            os.close(nowhere)
