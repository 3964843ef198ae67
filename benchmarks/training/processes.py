"""The processes of a run: which ones exist, and how to kill one. Which run they belong to is left to `killable`."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def children(parent: int) -> Iterator[int]:
    """The child processes of a process."""
    with suppress(FileNotFoundError, ProcessLookupError):
        yield from map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text().split())


def workers(parent: int) -> list[int]:
    """The children that take part in the run: all but the one by which Python cleans up shared memory."""
    found = list[int]()
    for process in children(parent):
        with suppress(FileNotFoundError, ProcessLookupError):
            if b"multiprocessing.resource_tracker" not in Path(f"/proc/{process}/cmdline").read_bytes():
                found.append(process)
    return found


def kill(process: int) -> None:
    """Send SIGKILL to a process, if it exists."""
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def is_alive(process: int) -> bool:
    """Whether a process exists and is not a zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
