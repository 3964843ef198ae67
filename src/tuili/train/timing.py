"""Where the time of a run goes, and what the rest of it will take, from its first steps. Shown by `log`."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

Clock = Callable[[], float]

WARM_UP_STEPS, TIMED_STEPS = 2, 8
"""After the first steps of a session, which are slower, these steps tell how fast it is."""


@contextmanager
def spending(seconds: MutableMapping[str, float], part: str, clock: Clock = time.perf_counter) -> Iterator[None]:
    """Adds the time of the `with` block to that of a part."""
    begun = clock()
    try:
        yield
    finally:
        seconds[part] = seconds.get(part, 0.0) + clock() - begun


def peak_memory(device: torch.device | None = None) -> int:
    """The most bytes of memory that this process has held so far: of a GPU that is given, else of the machine."""
    if device is not None and device.type == "cuda":
        import torch

        return torch.cuda.max_memory_allocated(device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


class Forecast:
    """What a session that begins after step `first` of `steps` will take."""

    def __init__(self, first: int, steps: int, clock: Clock = time.perf_counter) -> None:
        self._first, self._steps, self._clock = first, steps, clock
        self._begun, self._tokens = 0.0, 0

    def after(self, step: int, tokens: int, memory: int) -> str | None:
        """The line for the user, after the step from which it is known, if others are left; else None.

        tokens: those of this step. memory: the most bytes that all processes together have held so far.
        """
        timed = step - self._first - WARM_UP_STEPS
        if timed == 0:
            self._begun = self._clock()
        if timed > 0:
            self._tokens += tokens
        if timed != TIMED_STEPS or step == self._steps:
            return None
        seconds, left = self._clock() - self._begun, self._steps - step
        duration, rate, gigabytes = _duration(seconds / TIMED_STEPS * left), self._tokens / seconds, memory / 1e9
        return (
            f"left: {left:,} steps, about {duration} at {rate:,.0f} tokens/s, with up to {gigabytes:.1f} GB of memory"
        )


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 2:
        return f"{seconds:.0f} s"
    return f"{minutes} minutes" if minutes < 120 else f"{minutes / 60:.1f} hours"
