"""How processes wait for process 0, which may take long to read data or to write a checkpoint: as long as it lives.

Each of them has a connection to process 0, over which that tells them that it has come, and before, by a thread, that
it lives. Where it is killed its machine closes the connection. How processes meet behind that is left to `processes`.
"""

from __future__ import annotations

import secrets
import selectors
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from threading import Event, Thread
from typing import Protocol

from torch.distributed.distributed_c10d import Store

from tuili.errors import InputError
from tuili.train.dist.group import ReplicaDied
from tuili.train.dist.place import Place

BEAT, HERE, TELLS = b".", b"!", b"?"
BEAT_SECONDS = 0.5
TELLS_SECONDS = 5
"""How long process 0 may take to notice what another one has noticed, before that one says it."""
LOCAL = ("localhost", "127.0.0.1")


class Pulse(Protocol):
    """One process's end of the connections."""

    def meet(self, seconds: float, at_most: float) -> None:
        """Wait until process 0 has come here. All processes call this equally often, and meet behind it.

        Raises `ReplicaDied` where process 0 has ended, shows no sign of life for so many seconds, or does not come in
        `at_most`.
        """

    def first_tells(self) -> bool:
        """Whether process 0 says why the run ends, which process 0 lets the others know by calling this."""


class PulseOfFirst:
    """That of process 0."""

    def __init__(self, others: Sequence[socket.socket]) -> None:
        self._others, self._ended = others, Event()
        Thread(target=self._beat, name="pulse", daemon=True).start()

    def meet(self, seconds: float, at_most: float) -> None:
        """Tell the others that it has come."""
        self._tell(HERE)

    def first_tells(self) -> bool:
        """It does."""
        self._tell(TELLS)
        return True

    def close(self) -> None:
        """Stop."""
        self._ended.set()

    def _beat(self) -> None:
        while not self._ended.wait(BEAT_SECONDS):
            self._tell(BEAT)

    def _tell(self, word: bytes) -> None:
        for other in self._others:
            with suppress(OSError):  # whoever has gone is noticed where all meet
                other.sendall(word)


class PulseOfOther:
    """That of another process, which looks at what has come when it waits."""

    def __init__(self, first: socket.socket) -> None:
        self._first, self._come, self._tells = first, 0, False

    def meet(self, seconds: float, at_most: float) -> None:
        """Read what process 0 has told."""
        until = time.monotonic() + at_most
        while not self._come:
            try:
                told = self._read(seconds)
            except TimeoutError:
                raise _died(f"process 0 has not shown any sign of life for {seconds:.0f} s") from None
            except OSError as error:
                raise _died(f"process 0 has ended: {error.strerror}") from None
            if not told:
                raise _died("process 0 has ended")
            if time.monotonic() > until:
                raise _died(f"process 0 has been busy for {at_most:.0f} s")
        self._come -= 1

    def first_tells(self) -> bool:
        """Wait a little for its word."""
        until = time.monotonic() + TELLS_SECONDS
        with suppress(OSError):
            while not self._tells and (left := until - time.monotonic()) > 0 and self._read(left):
                pass
        return self._tells

    def _read(self, seconds: float) -> bytes:
        """What process 0 has told; nothing where it has ended."""
        self._first.settimeout(seconds)
        told = self._first.recv(1 << 16)
        self._come += told.count(HERE)
        self._tells |= TELLS in told
        return told


def _died(fault: str) -> ReplicaDied:
    return ReplicaDied(f"another process has ended or does not answer ({fault})")


@contextmanager
def connected(place: Place, store: Store, address: str, seconds: float) -> Iterator[Pulse]:
    """Connections to process 0, at this address, for as long as the `with` block lasts.

    All processes that `store` connects call this, and wait for one another for so many seconds. Raises `InputError`
    where one of them does not come through.
    """
    with ExitStack() as opened:
        try:
            if place.rank == 0:
                pulse: Pulse = _first(place, store, address, seconds, opened)
            else:
                pulse = _other(store, address, seconds, opened)
        except OSError as error:
            raise InputError(
                f"process {place.rank} of {place.world_size} has no connection by which process 0 at {address} shows "
                f"that it lives ({error}): let processes connect to each other"
            ) from error
        yield pulse


def _first(place: Place, store: Store, address: str, seconds: float, opened: ExitStack) -> PulseOfFirst:
    word = secrets.token_hex(16)
    if address in LOCAL:
        server = socket.create_server(("127.0.0.1", 0))
    elif socket.has_dualstack_ipv6():
        server = socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    else:
        server = socket.create_server(("", 0))
    with server:
        store.set("pulse", f"{server.getsockname()[1]} {word}")
        others = [opened.enter_context(other) for other in _admitted(server, word, place.world_size - 1, seconds)]
    for other in others:
        other.settimeout(seconds)
    pulse = PulseOfFirst(others)
    opened.callback(pulse.close)
    return pulse


def _admitted(server: socket.socket, word: str, count: int, seconds: float) -> Sequence[socket.socket]:
    """So many connections over which the word has come. Strangers, whatever they do, hold nobody up.

    Raises `TimeoutError` where not all have come behind so many seconds.
    """
    until, admitted, heard = time.monotonic() + seconds, list[socket.socket](), dict[socket.socket, bytes]()
    with selectors.DefaultSelector() as selector, ExitStack() as opened:
        server.setblocking(False)
        selector.register(server, selectors.EVENT_READ)
        while len(admitted) < count:
            if (left := until - time.monotonic()) <= 0:
                raise TimeoutError("timed out")
            for key, _ in selector.select(left):
                other = key.fileobj
                assert isinstance(other, socket.socket)
                if other is server:
                    with suppress(BlockingIOError, ConnectionError):  # it has gone again
                        come = opened.enter_context(server.accept()[0])
                        come.setblocking(False)
                        heard[come] = b""
                        selector.register(come, selectors.EVENT_READ)
                    continue
                told = _told(other, len(word) - len(heard[other]))
                heard[other] += told
                if told and len(heard[other]) < len(word):
                    continue
                selector.unregister(other)
                if secrets.compare_digest(heard.pop(other), word.encode()):
                    admitted.append(other)
                else:
                    other.close()
        for other in heard:
            other.close()
        opened.pop_all()
    return admitted


def _told(other: socket.socket, most: int) -> bytes:
    """What has come; nothing where the connection has ended."""
    try:
        return other.recv(most)
    except OSError:
        return b""


def _other(store: Store, address: str, seconds: float, opened: ExitStack) -> PulseOfOther:
    port, word = store.get("pulse").decode().split()
    first = opened.enter_context(socket.create_connection((address, int(port)), seconds))
    first.sendall(word.encode())
    return PulseOfOther(first)
