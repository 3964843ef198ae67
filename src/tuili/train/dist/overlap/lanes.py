"""Work alongside the main thread: a thread that does what it is given and, on a GPU, has a stream of its own.

What is done there is left to `hooks`, which averages buckets of gradients, and to `updates`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from itertools import count
from queue import PriorityQueue
from threading import Event, Thread

import torch

Work = Callable[[], None]
NEVER = 1 << 30


class Done:
    """A piece of work that a lane has been given."""

    def __init__(self) -> None:
        self._ended = Event()
        self._failure: BaseException | None = None
        self._reached: torch.cuda.Event | None = None

    def run(self, work: Work, stream: torch.cuda.Stream | None, before: torch.cuda.Event | None = None) -> None:
        """Do the work, in the lane's thread; on a stream, after the event `before`. `wait` raises any error of it."""
        try:
            with torch.cuda.stream(stream) if stream else nullcontext():
                if stream and before:
                    stream.wait_event(before)
                work()
                self._reached = stream.record_event() if stream else None
        except BaseException as error:
            self._failure = error
        finally:
            self._ended.set()

    def wait(self) -> None:
        """Wait until the work is done; on a GPU, what this thread starts afterwards waits. Raises the work's error."""
        self._ended.wait()
        if self._failure:
            raise self._failure
        if self._reached:
            torch.cuda.current_stream().wait_event(self._reached)


class Lane:
    """A thread that does one piece of work after another: the lowest `order` first, and then the first given.

    Work may depend on what the thread that gives it has already started on its own stream.
    """

    def __init__(self, name: str, device: torch.device) -> None:
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._numbers, self._queue = count(), PriorityQueue[tuple[int, int, Work | None]]()
        # a process that exits does not wait for a daemon thread, which may itself wait for a process that is gone
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, work: Work, order: int = 0) -> Done:
        """Queue a piece of work. Raises `RuntimeError` if the thread has ended."""
        if not self.is_alive:
            raise RuntimeError(f"the thread {self.name} has ended, and takes no more work")
        done, stream = Done(), self._stream
        before = torch.cuda.current_stream().record_event() if stream else None
        self._queue.put((order, next(self._numbers), lambda: done.run(work, stream, before)))
        return done

    @property
    def name(self) -> str:
        """The thread's name."""
        return self._thread.name

    @property
    def is_alive(self) -> bool:
        """Whether the thread still runs."""
        return self._thread.is_alive()

    def close(self) -> None:
        """End the thread after all the work that it has been given."""
        self._queue.put((NEVER, next(self._numbers), None))
        self._thread.join()

    def _run(self) -> None:
        while work := self._queue.get()[-1]:
            work()
