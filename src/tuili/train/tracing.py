"""A profiler's trace of some steps of a run, on request. What it shows is left to `dist.overlap.hidden`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TypeVar

import torch
from torch._C._profiler import _ExperimentalConfig
from torch.profiler import ProfilerActivity, profile

from tuili.files import flush, is_special, writing
from tuili.train.timing import WARM_UP_STEPS

Step = TypeVar("Step")
REMEDY = "add --resume to go on and to trace later steps"
END, END_BYTES = b'"traceName": ', 8192
"""What torch writes last into a trace, followed by the path of the file."""


def traced(
    steps: Iterable[Step], count: int | None, file: Path, before_writing: Callable[[], None] = lambda: None
) -> Iterator[Step]:
    """Yield the same steps and trace `count` of them to a file, after the first, slower ones. None traces none.

    The file is in Chrome's format, which Perfetto shows, with all threads of the process. If none of those steps is
    run, no file is written. before_writing: called after the last of them, because writing takes long if a model has
    many kernels. Raises `NotWritten` if the file cannot be written as a whole.
    """
    iterator = iter(steps)
    if count is not None:
        yield from islice(iterator, WARM_UP_STEPS)
        yield from _tracing(islice(iterator, count), file, before_writing)
    yield from iterator


def _tracing(steps: Iterator[Step], file: Path, before_writing: Callable[[], None]) -> Iterator[Step]:
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if torch.cuda.is_available() else [])]
    config = _ExperimentalConfig(profile_all_threads=True)
    with profile(activities=activities, experimental_config=config) as profiler:
        done = 0
        for step in steps:
            done += 1
            yield step
        if done:
            before_writing()
    if done:
        _write(profiler, file)


def _write(profiler: profile, file: Path) -> None:
    """Write the whole trace, or raise `NotWritten`: torch does not report a full disk."""
    part = file.with_name(f".{file.name}.part")
    with writing(file, REMEDY):
        if is_special(file):
            raise OSError("it is there, and no regular file")
        part.touch()  # raises the errors that torch does not
        try:
            profiler.export_chrome_trace(str(part))
            flush(part)
            with part.open("rb") as written:
                size = written.seek(0, os.SEEK_END)
                written.seek(max(0, size - END_BYTES))
                if END not in written.read():
                    raise OSError(f"there was room for {size:,} bytes of it alone")
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)
