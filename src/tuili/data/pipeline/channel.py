"""Exchanges messages with a worker through its pipes, and gives up if the worker computes nothing for too long.

`worker` defines the messages; `handle` decides what becomes of a worker.
"""

from __future__ import annotations

import fcntl
import os
import select
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from tuili.data.pipeline.worker import LENGTH

_PIECE = 2**20
"""The capacity, in bytes, of a pipe to or from a worker, and the size of a read from it."""
_LOOKS = 10
"""The number of times a process is checked before it counts as idle."""


class Channel:
    """Both ends of a process's input and output. Each call raises `TimeoutError` if the process computes nothing for
    too long, and `EOFError` or `BrokenPipeError` if it has closed its end.

    Time does not count while this process itself is stopped, nor while the other one waits for a core or a disk, or is
    stopped.
    """

    def __init__(self, process: subprocess.Popen[bytes], idle: float) -> None:
        """process: has pipes for both. idle: the number of seconds without computing after which to give it up."""
        assert process.stdin and process.stdout
        self._input, self._output, self._process, self._idle = process.stdin, process.stdout, process, idle
        self._buffer = bytearray()
        if sys.platform == "linux":  # so that neither end waits for the other at each document
            with suppress(OSError):  # if the user has too many pipes, these keep their size
                for pipe in (self._input, self._output):
                    fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIECE)

    def close(self) -> None:
        """Close both pipes."""
        self._input.close()
        self._output.close()

    def send(self, message: bytes) -> None:
        """Send a message that begins with its length."""
        place = self._input.fileno()
        os.set_blocking(place, False)
        left = memoryview(message)
        while left:
            self._wait(place, select.POLLOUT)
            left = left[os.write(place, left) :]

    def receive(self) -> bytes:
        """The next message, without its length."""
        return self._bytes(LENGTH.unpack(self._bytes(LENGTH.size))[0])

    def _bytes(self, size: int) -> bytes:
        place = self._output.fileno()
        while len(self._buffer) < size:
            self._wait(place, select.POLLIN)
            piece = os.read(place, _PIECE)
            if not piece:
                raise EOFError
            self._buffer += piece
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def _wait(self, place: int, event: int) -> None:
        """Wait until a pipe is ready."""
        poll = select.poll()  # select itself has no descriptors above 1,023
        poll.register(place, event)
        if poll.poll(self._idle * 100):  # most answers come soon, and a query of /proc takes as long as some documents
            return
        before, idle = self._computed(), 0
        while idle < _LOOKS:
            if poll.poll(self._idle * 1000 / _LOOKS):
                return
            now = self._computed()
            idle = idle + 1 if now == before and not self._held_up() else 0
            before = now
        raise TimeoutError

    def _computed(self) -> list[str]:
        """The CPU time of the process so far, as reported by the system."""
        return _stat(Path(f"/proc/{self._process.pid}"))[11:13]

    def _held_up(self) -> bool:
        """Whether a thread of the process waits for a core or a disk, or is stopped."""
        threads = Path(f"/proc/{self._process.pid}/task").glob("*")
        return any(_stat(thread)[:1] in (["R"], ["D"], ["T"], ["t"]) for thread in threads)


def _stat(process: Path) -> list[str]:
    """The fields of a process's or thread's `stat` from its state on; empty if the system reports nothing."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
