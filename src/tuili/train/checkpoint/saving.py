"""A checkpoint that a thread writes beside the training: whether the thread gets on, and what has stopped it.

What it writes is left to `writing`, who waits for it to `manager`.
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
"""As which a look counts that took longer: this process was stopped, as by Ctrl-Z."""
HANGING_SECONDS = 300.0
"""How long is waited for a writer of which nothing more comes to the disk."""


class Saving:
    """The writing of one checkpoint, from when this is made. `write` is called in a thread, and calls `go_on`.

    The thread does not keep the process from ending: a disk may never answer it. Beside steps it gives way to them, and
    takes moments in which they leave a core to it, as where processes wait for one another.
    """

    def __init__(self, step: int, write: Callable[[Saving], None], *, beside_steps: bool) -> None:
        self.step, self._beside_steps = step, beside_steps
        self.others_ended: float | None = None
        """When, by `time.monotonic`, all other processes were known to have written their parts."""
        self.writes = True
        """Whether the thread has something to write, and does not wait for the others' parts."""
        self.left: str | None = None
        """What the thread could not remove behind the checkpoint, as a line."""
        self.waited = 0.0
        """Seconds for which `wait` has waited in all."""
        self.is_told = False
        """Whether it was told that this takes long."""
        self._looked, self._idle = time.monotonic(), 0.0
        self._moves, self._moves_seen = 0, 0
        self._is_left = False
        self._job: Future[None] = Future()
        Thread(target=self._run, args=(write,), name="checkpoint", daemon=True).start()

    @property
    def has_ended(self) -> bool:
        """Whether the thread has."""
        return self._job.done()

    @property
    def is_over(self) -> bool:
        """Whether the thread has ended, or hangs."""
        return self.has_ended or self._idle > HANGING_SECONDS

    def go_on(self) -> None:
        """The thread has got on. Raises `CheckpointError` where nobody waits for it any more."""
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
        """Let the thread end as soon as it gets on."""
        self._is_left = True

    def report(self) -> tuple[bool, str | None, bool]:
        """Whether the thread has ended; what keeps it from writing; and whether it may be writing.

        An error of the thread that is no fault of the disk is raised.
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
    """What has kept a thread that has ended from writing. What is no fault of the disk is raised as it was."""
    error = job.exception()
    if isinstance(error, (OSError, CheckpointError)):
        return getattr(error, "strerror", None) or str(error)
    if error is not None:
        raise error
    return None
