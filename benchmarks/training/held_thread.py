"""Stops the initial thread of a Python process and no other, as a debugger does it: the others show that the process
lives. The thread continues when its holder ends.

A separate process is the holder, because a process's end is reported to its tracer instead of its parent.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tuili.errors import InputError

SEIZE, INTERRUPT, WALL = 0x4206, 0x4207, 0x40000000
"""Constants of Linux: for ptrace, to watch a thread and to stop it; for waitpid, to wait for what is watched."""


@contextmanager
def held_thread(process: int) -> Iterator[None]:
    """Hold the thread until the `with` block or the process ends.

    Raises `InputError` if the system does not allow it.
    """
    command = [sys.executable, "-m", "benchmarks.training.held_thread", str(process)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout is not None
            if (told := holder.stdout.readline()) != "\n":
                raise InputError(f"a thread cannot be stopped: {told.strip() or 'see above'}: run it as root")
            yield
        finally:
            holder.kill()


def hold(process: int) -> None:
    """Run as the holder: print an empty line once the thread stands still, or why it does not."""
    ptrace = ctypes.CDLL(None, use_errno=True).ptrace
    ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    for request in (SEIZE, INTERRUPT):
        if ptrace(request, process, None, None):
            print(f"ptrace: {os.strerror(ctypes.get_errno())}")
            return
    while os.WIFSTOPPED(os.waitpid(process, WALL)[1]):
        print(flush=True)


if __name__ == "__main__":
    hold(int(sys.argv[1]))
