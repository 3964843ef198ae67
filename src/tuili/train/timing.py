"""Where the time of a run goes, and a forecast of the rest from its first steps. Shown by `log`."""

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
"""The first steps of a session are slower; the timed steps after them measure its speed."""


@contextmanager
def spending(seconds: MutableMapping[str, float], part: str, clock: Clock = time.perf_counter) -> Iterator[None]:
    """Add the duration of the `with` block to the seconds of a part."""
    begun = clock()
    try:
        yield
    finally:
        seconds[part] = seconds.get(part, 0.0) + clock() - begun


def peak_memory(device: torch.device | None = None) -> int:
    """The peak memory of this process so far, in bytes: on the given GPU, otherwise on the machine."""
    if device is not None and device.type == "cuda":
        import torch

        return torch.cuda.max_memory_allocated(device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


class Forecast:
    """A forecast for a session that begins after step `first` of `steps`."""

    def __init__(self, first: int, steps: int, clock: Clock = time.perf_counter) -> None:
        self._first, self._steps, self._clock = first, steps, clock
        self._begun, self._tokens = 0.0, 0

    def after(self, step: int, tokens: int, memory: int) -> str | None:
        """The line for the user, once, after the last timed step, if further steps are left; otherwise None.

        tokens: the number in this step. memory: the peak of all processes together so far, in bytes.
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
