"""A profiler's trace of some steps of a run, on request. What it tells is left to `dist.overlap.hidden`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import torch
from torch._C._profiler import _ExperimentalConfig
from torch.profiler import ProfilerActivity, profile

from tuili.train.timing import WARM_UP_STEPS

Step = TypeVar("Step")


def traced(steps: Iterable[Step], count: int | None, file: Path) -> Iterator[Step]:
    """The same steps, of which so many behind the first ones, which are slower, are traced to a file; None traces none.

    The file is in Chrome's format, which Perfetto shows, with all threads of the process.
    """
    iterator = iter(steps)
    if count is not None:
        yield from _some(iterator, WARM_UP_STEPS)
        with _tracing(file):
            yield from _some(iterator, count)
    yield from iterator


def _some(steps: Iterator[Step], count: int) -> Iterator[Step]:
    for _, step in zip(range(count), steps, strict=False):  # takes none beyond them
        yield step


@contextmanager
def _tracing(file: Path) -> Iterator[None]:
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if torch.cuda.is_available() else [])]
    config = _ExperimentalConfig(profile_all_threads=True)
    with profile(activities=activities, experimental_config=config) as profiler:
        yield
    profiler.export_chrome_trace(str(file))
