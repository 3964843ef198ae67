"""How processes know that others live while they wait for them: each has a connection to process 0, over which a thread
of each side sends a heartbeat twice a second.

So process 0 may take long to read data or write a checkpoint, and all may take long to start: the others wait as long
as they live. If a process is killed, its machine closes the connection. How connections are made is left to
`connecting`, and how processes then meet to `processes`.
"""

from __future__ import annotations

import os
import selectors
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from threading import Condition, Thread

from tuili.train.dist.group import ReplicaDied

BEAT, HERE, TELLS = b".", b"!", b"?"
BEAT_SECONDS = 0.5
TELLS_SECONDS = 5
"""How long process 0 may take to notice what another process has noticed, before that process reports it; and how long
others may wait for each other once process 0 is gone."""
BUSY_SECONDS = 30
"""How long all wait for process 0 before that may be reported."""
SEND_SECONDS = 5
"""How long a more important word than a heartbeat may wait for room in a connection."""


class Heartbeat:
    """One process's end of the connections: to all others in process 0, to process 0 in the others.

    silent: called by a thread for each process that shows no sign of life while this process watches, and for process 0
    if this process continues with a step after process 0 is gone. It ends one of the two processes, because the waiting
    call may not be interruptible.
    """

    def __init__(self, rank: int, links: Mapping[int, socket.socket], silent: Callable[[ReplicaDied], None]) -> None:
        self._is_first, self._links, self._give_up = rank == 0, links, silent
        self._silent = dict[int, float]()
        """Seconds without a sign of life, by rank, from the first sign on."""
        self._changed, self._come, self._tells = Condition(), 0, False
        self._gone: str | None = None
        self._patience: float | None = None
        self._given_up, self._ended = set[int](), False
        for link in links.values():
            link.settimeout(SEND_SECONDS)
        self._beat()
        self._thread = Thread(target=self._live, name="heartbeat", daemon=True)
        self._thread.start()

    def meet(self, seconds: float, at_most: float, busy: Callable[[], None] | None = None) -> None:
        """Wait until process 0 has come here. All processes call this equally often, and meet afterwards.

        busy: called once if that takes long. Raises `ReplicaDied` if process 0 has ended, shows no sign of life for
        `seconds`, or does not come within `at_most`.
        """
        if self._is_first:
            self._tell(HERE)
            return
        begun = time.monotonic()
        while not self._first_comes(seconds):
            waited = time.monotonic() - begun
            if waited > at_most:
                raise _died(f"process 0 has been busy for {at_most:.0f} s")
            if busy is not None and waited > BUSY_SECONDS:
                busy()
                busy = None

    def _first_comes(self, seconds: float) -> bool:
        """Whether process 0 comes within a moment. Raises `ReplicaDied` as `meet` does."""
        with self._changed:
            if not self._come:
                if self._gone:
                    raise _died(self._gone)
                if self._silent.get(0, 0.0) > seconds:
                    raise _still(0, seconds)
                self._changed.wait(BEAT_SECONDS)
            if self._come:
                self._come -= 1
                return True
            return False

    @contextmanager
    def watching(self, seconds: float) -> Iterator[None]:
        """Give up if another process shows no sign of life for `seconds`, while the `with` block lasts."""
        before, self._patience = self._patience, seconds
        try:
            yield
        finally:
            self._patience = before

    def first_tells(self) -> bool:
        """Whether process 0 reports why the run ends. Process 0 calls this to tell the others that it does; they wait
        a little for its word."""
        if self._is_first:
            self._tell(TELLS)
            return True
        with self._changed:
            self._changed.wait_for(lambda: self._tells or self._gone is not None, TELLS_SECONDS)
            return self._tells

    def close(self) -> None:
        """End the heartbeat."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        for link in self._links.values():
            with suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)
        self._thread.join()

    def _live(self) -> None:
        before = sent = time.monotonic()
        with selectors.DefaultSelector() as selector:
            for rank, link in self._links.items():
                selector.register(link, selectors.EVENT_READ, rank)
            while not self._ended and selector.get_map():  # the last process left may end at once
                ready = selector.select(max(0.0, sent + BEAT_SECONDS - time.monotonic()))
                now = time.monotonic()
                passed, before = min(now - before, 2 * BEAT_SECONDS), now  # not while this process was stopped
                heard = {key.data for key, _ in ready if self._hear(key.data)}
                for key, _ in ready:
                    if key.data not in heard:
                        selector.unregister(key.fileobj)
                live = {key.data for key in selector.get_map().values()}
                known = {rank: seconds + passed for rank, seconds in self._silent.items() if rank in live}
                self._silent = known | dict.fromkeys(heard, 0.0)
                if now >= sent + BEAT_SECONDS:
                    self._beat()
                    sent = now
                self._look()
        if not self._is_first:
            self._leave_behind_first()

    def _hear(self, rank: int) -> bool:
        """Process what has come; false if the other process has ended."""
        why = "process 0 has ended"
        try:
            told = self._links[rank].recv(1 << 16)
        except OSError as error:
            told, why = b"", f"{why}: {error.strerror}"
        with self._changed:
            self._come += told.count(HERE)
            self._tells |= TELLS in told
            self._gone = None if told else why
            self._changed.notify_all()
        return bool(told)

    def _look(self) -> None:
        patience = self._patience
        if patience is None:
            return
        for rank in [rank for rank, seconds in self._silent.items() if seconds > patience]:
            if rank not in self._given_up:
                self._given_up.add(rank)
                if self._is_first:
                    self._tell(TELLS)
                error = _still(rank, patience)
                error.first_tells = rank != 0
                self._give_up(error)

    def _leave_behind_first(self) -> None:
        """Process 0, which watched all, is gone: a process that is in a step, perhaps with one that hangs, gives up."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended, TELLS_SECONDS)
            while not self._ended and self._patience is None:
                self._changed.wait(BEAT_SECONDS)
            if self._ended:
                return
            error = _died(self._gone or "process 0 has ended")
            error.first_tells = self._tells
        self._give_up(error)

    def _beat(self) -> None:
        for link in self._links.values():
            with suppress(OSError):  # also if there is no room because the other one has long been stopped:
                os.write(link.fileno(), BEAT)  # the socket's own methods would wait for room

    def _tell(self, word: bytes) -> None:
        for link in self._links.values():
            with suppress(OSError):  # a lost process is noticed where all meet
                link.sendall(word)


def _still(rank: int, seconds: float) -> ReplicaDied:
    return _died(f"process {rank} has not shown any sign of life for {seconds:.0f} s", rank)


def _died(fault: str, rank: int = 0) -> ReplicaDied:
    return ReplicaDied(f"another process has ended or does not answer ({fault})", rank)
