"""A checkpoint that a thread writes during the training: whether the thread makes progress, and what has stopped it.

`writing` defines what the thread writes, `manager` who waits for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from threading import Thread

from tuili.errors import CheckpointError
from tuili.machine import give_way

LOOK_SECONDS = 0.02
LOOK_AT_MOST = 1.0
"""The most seconds that a single look counts for: if it took longer, this process was stopped, as by Ctrl-Z."""
HANGING_SECONDS = 300.0
"""How long to wait for a writer while nothing more from it reaches the disk."""


class Saving:
    """The writing of one checkpoint, which begins at construction. `write` runs in a thread and calls `go_on`.

    The thread does not keep the process from ending, because a disk may never answer it. While steps run, it gives way
    to them, and works when they leave a core idle, as when processes wait for one another.
    """

    def __init__(self, step: int, write: Callable[[Saving], None], *, beside_steps: bool) -> None:
        self.step, self._beside_steps = step, beside_steps
        self.others_ended: float | None = None
        """When, by `time.monotonic`, all other processes were known to have written their parts."""
        self.writes = True
        """Whether the thread has something to write, rather than waiting for the parts of other processes."""
        self.left: str | None = None
        """A line about what the thread could not remove after the checkpoint."""
        self.waited = 0.0
        """Total seconds for which `wait` has waited."""
        self.is_told = False
        """Whether the user was told that this takes long."""
        self._looked, self._idle = time.monotonic(), 0.0
        self._moves, self._moves_seen = 0, 0
        self._is_left = False
        self._job: Future[None] = Future()
        Thread(target=self._run, args=(write,), name="checkpoint", daemon=True).start()

    @property
    def has_ended(self) -> bool:
        """Whether the thread has ended."""
        return self._job.done()

    @property
    def is_over(self) -> bool:
        """Whether the thread has ended or hangs."""
        return self.has_ended or self._idle > HANGING_SECONDS

    def go_on(self) -> None:
        """Record that the thread has made progress. Raises `CheckpointError` if nobody waits for it any more."""
        if self._is_left:
            raise CheckpointError("nobody waits for it any more")
        self._moves += 1

    def wait(self) -> None:
        """Wait a moment for the thread to end."""
        wait([self._job], LOOK_SECONDS)
        now, moves = time.monotonic(), self._moves
        seconds = min(now - self._looked, LOOK_AT_MOST)
        self.waited += seconds
        self._idle = self._idle + seconds if moves == self._moves_seen else 0.0
        self._looked, self._moves_seen = now, moves

    def leave(self) -> None:
        """Make the thread end the next time it makes progress."""
        self._is_left = True

    def report(self) -> tuple[bool, str | None, bool]:
        """Whether the thread has ended, what keeps it from writing, and whether it may still be writing.

        If the thread failed with an error that is not the disk's fault, raises that error.
        """
        if self.has_ended:
            return True, _fault(self._job), False
        if self._idle > HANGING_SECONDS:
            return False, f"the disk does not answer, and has taken nothing for {HANGING_SECONDS:.0f} s", True
        return False, None, self.writes

    def _run(self, write: Callable[[Saving], None]) -> None:
        if self._beside_steps:
            give_way()
        try:
            write(self)
        except BaseException as error:
            self._job.set_exception(error)
        else:
            self._job.set_result(None)


def _fault(job: Future[None]) -> str | None:
    """What kept a thread that has ended from writing. An error that is not the disk's fault is raised unchanged."""
    error = job.exception()
    if isinstance(error, (OSError, CheckpointError)):
        return getattr(error, "strerror", None) or str(error)
    if error is not None:
        raise error
    return None
