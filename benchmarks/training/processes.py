"""The processes of a run: which there are, and how one is killed. Whose they are is left to `killable`."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def children(parent: int) -> Iterator[int]:
    """The processes that one has started."""
    with suppress(FileNotFoundError, ProcessLookupError):
        yield from map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text().split())


def workers(parent: int) -> list[int]:
    """Those that take part in its run: not the one by which Python tidies up behind processes that share memory."""
    found = list[int]()
    for process in children(parent):
        with suppress(FileNotFoundError, ProcessLookupError):
            if b"multiprocessing.resource_tracker" not in Path(f"/proc/{process}/cmdline").read_bytes():
                found.append(process)
    return found


def kill(process: int) -> None:
    """SIGKILL to a process, if it is there."""
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def is_alive(process: int) -> bool:
    """Whether a process is there, and not merely to be collected."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
