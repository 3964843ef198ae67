"""How processes make the connections for their heartbeats: process 0 listens at a port that it publishes in the store,
and admits processes that know a secret word, which it publishes there, too."""

from __future__ import annotations

import secrets
import selectors
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress

from torch.distributed.distributed_c10d import Store

from tuili.errors import InputError
from tuili.train.dist.group import ReplicaDied
from tuili.train.dist.processes.heartbeat import Heartbeat
from tuili.train.dist.processes.place import Place

LOCAL = ("localhost", "127.0.0.1")
RANK_DIGITS = 8
"""The number of digits in which a process states its rank, after the word."""


@contextmanager
def connected(
    place: Place, store: Store, address: str, seconds: float, silent: Callable[[ReplicaDied], None]
) -> Iterator[Heartbeat]:
    """Connections to process 0, at this address, for as long as the `with` block lasts.

    All processes that `store` connects call this, and wait for each other for `seconds`. silent: that of `Heartbeat`.
    Raises `InputError` if one of them does not get through.
    """
    with ExitStack() as opened:
        try:
            if place.rank == 0:
                links = _to_others(place, store, address, seconds, opened)
            else:
                links = {0: opened.enter_context(_to_first(place, store, address, seconds))}
        except OSError as error:
            raise InputError(
                f"process {place.rank} of {place.world_size} has no connection by which process 0 at {address} shows "
                f"that it lives ({error}): let processes connect to each other"
            ) from error
        heartbeat = Heartbeat(place.rank, links, silent)
        opened.callback(heartbeat.close)
        yield heartbeat


def _to_others(
    place: Place, store: Store, address: str, seconds: float, opened: ExitStack
) -> Mapping[int, socket.socket]:
    word = secrets.token_hex(16)
    if address in LOCAL:
        server = socket.create_server(("127.0.0.1", 0))
    elif socket.has_dualstack_ipv6():
        server = socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    else:
        server = socket.create_server(("", 0))
    with server:
        store.set("heartbeat", f"{server.getsockname()[1]} {word}")
        admitted = _admitted(server, word, place.world_size - 1, seconds)
    for other in admitted.values():
        opened.enter_context(other)
    return admitted


def _admitted(server: socket.socket, word: str, count: int, seconds: float) -> dict[int, socket.socket]:
    """The first `count` connections that send the word, by the ranks of the processes. Strangers, whatever they do,
    delay nobody.

    Raises `TimeoutError` if not all have come within `seconds`.
    """
    until, admitted, heard = time.monotonic() + seconds, dict[int, socket.socket](), dict[socket.socket, bytes]()
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
                    with suppress(BlockingIOError, ConnectionError):  # the peer is gone again
                        come = opened.enter_context(server.accept()[0])
                        come.setblocking(False)
                        heard[come] = b""
                        selector.register(come, selectors.EVENT_READ)
                    continue
                told = _told(other, len(word) + RANK_DIGITS - len(heard[other]))
                heard[other] += told
                if told and len(heard[other]) < len(word) + RANK_DIGITS:
                    continue
                selector.unregister(other)
                said, rank = heard[other][: len(word)], heard.pop(other)[len(word) :]
                if secrets.compare_digest(said, word.encode()) and len(rank) == RANK_DIGITS:
                    admitted[int(rank)] = other
                else:
                    other.close()
        for other in heard:
            other.close()
        opened.pop_all()
    return admitted


def _told(other: socket.socket, most: int) -> bytes:
    """The bytes that have come; none if the connection has ended."""
    try:
        return other.recv(most)
    except OSError:
        return b""


def _to_first(place: Place, store: Store, address: str, seconds: float) -> socket.socket:
    port, word = store.get("heartbeat").decode().split()
    first = socket.create_connection((address, int(port)), seconds)
    first.sendall(f"{word}{place.rank:0{RANK_DIGITS}}".encode())
    return first
