"""Stops the thread of a process that Python began with, and no other one, as a debugger does it: the others show that
the process lives. It goes on where whoever holds it ends.

A process of its own holds it: who traces a process is told of its end in place of whoever has started it.
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
"""Of Linux's ptrace: to watch a thread, and to stop it; and of its waitpid, to wait for what is watched."""


@contextmanager
def held_thread(process: int) -> Iterator[None]:
    """Hold it until the `with` block ends, or the process.

    Raises `InputError` where the system does not allow it.
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
    """What the holder does: it prints an empty line when the thread stands still, or why it does not."""
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
