"""By what processes know that others live, while they wait for them: each has a connection to process 0, over which
both tell twice a second that they live, by a thread.

So process 0 may take long to read data or to write a checkpoint, and all may take long to begin: others wait as long as
they live. Where a process is killed its machine closes the connection. How connections are made is left to
`connecting`, and how processes meet behind that to `processes`.
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
"""How long process 0 may take to notice what another one has noticed, before that one says it; and how long others may
wait for one another once process 0 has gone."""
BUSY_SECONDS = 30
"""After which it may be told that all wait for process 0."""
SEND_SECONDS = 5
"""For a word of more weight to find room in a connection."""


class Heartbeat:
    """One process's end of the connections: to all others in process 0, to process 0 in the others.

    silent: called by a thread for each that shows no sign of life where this process watches, and for process 0 where
    this one goes on with a step when that has gone. It ends one of the two, because what waits may not be
    interruptible.
    """

    def __init__(self, rank: int, links: Mapping[int, socket.socket], silent: Callable[[ReplicaDied], None]) -> None:
        self._is_first, self._links, self._give_up = rank == 0, links, silent
        self._silent = dict[int, float]()
        """Seconds, from the first sign of life on."""
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
        """Wait until process 0 has come here. All processes call this equally often, and meet behind it.

        busy: called once where that takes long. Raises `ReplicaDied` where process 0 has ended, shows no sign of life
        for so many seconds, or does not come in `at_most`.
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
        """Whether process 0 comes in a moment. Raises `ReplicaDied` as `meet` does."""
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
        """Give up where another one shows no sign of life for so many seconds, while the `with` block lasts."""
        before, self._patience = self._patience, seconds
        try:
            yield
        finally:
            self._patience = before

    def first_tells(self) -> bool:
        """Whether process 0 says why the run ends, which process 0 lets the others know by calling this; they wait a
        little for its word."""
        if self._is_first:
            self._tell(TELLS)
            return True
        with self._changed:
            self._changed.wait_for(lambda: self._tells or self._gone is not None, TELLS_SECONDS)
            return self._tells

    def close(self) -> None:
        """Stop."""
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
            while not self._ended and selector.get_map():  # whoever is left may end at once
                ready = selector.select(max(0.0, sent + BEAT_SECONDS - time.monotonic()))
                now = time.monotonic()
                passed, before = min(now - before, 2 * BEAT_SECONDS), now  # not where this one itself stood still
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
        """Take up what has come; false where the other process has ended."""
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
        """Process 0 has gone, which has watched all: whoever is in a step, perhaps beside one that hangs, gives up."""
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
            with suppress(OSError):  # also where there is no room, as the other one has long stood still:
                os.write(link.fileno(), BEAT)  # the socket's own methods would wait for it

    def _tell(self, word: bytes) -> None:
        for link in self._links.values():
            with suppress(OSError):  # whoever has gone is noticed where all meet
                link.sendall(word)


def _still(rank: int, seconds: float) -> ReplicaDied:
    return _died(f"process {rank} has not shown any sign of life for {seconds:.0f} s", rank)


def _died(fault: str, rank: int = 0) -> ReplicaDied:
    return ReplicaDied(f"another process has ended or does not answer ({fault})", rank)
