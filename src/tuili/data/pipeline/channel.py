"""Messages to and from a worker through its pipes, unless it computes nothing for too long.

What messages say is left to `worker`, what becomes of a worker to `handle`.
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
"""Bytes that a pipe to or from a worker holds, and that are read from it at once."""
_LOOKS = 10
"""How often a process is looked at before it counts as idle."""


class Channel:
    """Both ends of a process' input and output. Each call raises `TimeoutError` where the process computes nothing for
    too long, and `EOFError` or `BrokenPipeError` where it has closed its end.

    Time in which this process itself is stopped does not count, nor does that in which the other one waits for a core
    or a disk, or is stopped.
    """

    def __init__(self, process: subprocess.Popen[bytes], idle: float) -> None:
        """process: has pipes for both. idle: seconds without computing after which it is given up."""
        assert process.stdin and process.stdout
        self._input, self._output, self._process, self._idle = process.stdin, process.stdout, process, idle
        self._buffer = bytearray()
        if sys.platform == "linux":  # so that neither end waits for the other at each document
            with suppress(OSError):  # where the user has too many of them, they stay as they are
                for pipe in (self._input, self._output):
                    fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIECE)

    def close(self) -> None:
        """Close both pipes."""
        self._input.close()
        self._output.close()

    def send(self, message: bytes) -> None:
        """Send a message, which has its length in front."""
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
        if poll.poll(self._idle * 100):  # most answers come soon, and to ask the system takes as long as some documents
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
        """The time that the process has computed so far, as the system tells it."""
        return _stat(Path(f"/proc/{self._process.pid}"))[11:13]

    def _held_up(self) -> bool:
        """Whether a thread of the process waits for a core or a disk, or is stopped."""
        threads = Path(f"/proc/{self._process.pid}/task").glob("*")
        return any(_stat(thread)[:1] in (["R"], ["D"], ["T"], ["t"]) for thread in threads)


def _stat(process: Path) -> list[str]:
    """What the system tells of a process or thread, from its state on; nothing where it tells nothing."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
