"""How processes connect to process 0, and strangers do not."""

from __future__ import annotations

import re
import socket
import struct
import time
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from threading import Thread

import pytest
import torch.distributed as dist

from tests.waiting import GUARD_SECONDS
from tuili.errors import InputError
from tuili.train.dist.group import ReplicaDied
from tuili.train.dist.processes.connecting import connected
from tuili.train.dist.processes.heartbeat import Heartbeat
from tuili.train.dist.processes.place import Place


def never(rank: int, error: ReplicaDied) -> None:
    raise AssertionError(error)


def be_wrong(stranger: socket.socket) -> None:
    stranger.sendall(b"?" * 32)


def be_silent(stranger: socket.socket) -> None:
    """It stays, and says nothing."""


def begin_a_word(stranger: socket.socket) -> None:
    stranger.sendall(b"?")


def reset(stranger: socket.socket) -> None:
    stranger.sendall(b"?")
    stranger.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    stranger.close()


@pytest.mark.parametrize("behave", [be_wrong, be_silent, begin_a_word, reset, socket.socket.close])
def test_processes_connect_and_strangers_do_not(behave: Callable[[socket.socket], None]) -> None:
    store = dist.HashStore()
    came = list[int]()

    def work(rank: int) -> None:
        with connected(Place(rank, 3, 3), store, "127.0.0.1", 20, never) as mine:
            for _ in range(2):
                mine.meet(20, 20)
                came.append(rank)

    threads = [Thread(target=work, args=(rank,)) for rank in range(3)]
    threads[0].start()
    port = int(store.get("heartbeat").decode().split()[0])
    with socket.create_connection(("127.0.0.1", port), 20) as stranger:
        behave(stranger)
        for thread in threads[1:]:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(came) == [0, 0, 1, 1, 2, 2]


def test_a_word_may_come_in_parts() -> None:
    store, came = dist.HashStore(), list[int]()

    def work() -> None:
        with connected(Place(0, 2, 2), store, "127.0.0.1", 20, never) as mine:
            mine.meet(20, 20)
            came.append(0)

    first = Thread(target=work)
    first.start()
    port, word = store.get("heartbeat").decode().split()
    with socket.create_connection(("127.0.0.1", int(port)), 20) as other:
        other.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for part in (word[:5], word[5:], "0000", "0001"):
            other.sendall(part.encode())
            time.sleep(0.05)
        with closing(Heartbeat(1, {0: other}, never)) as mine:
            mine.meet(20, 20)
    first.join()
    assert came == [0]


def test_strangers_do_not_make_the_time_longer() -> None:
    store, told = dist.HashStore(), list[str]()

    def work() -> None:
        with pytest.raises(InputError) as caught, connected(Place(0, 2, 2), store, "127.0.0.1", 0.3, never):
            pass
        told.append(str(caught.value))

    first = Thread(target=work)
    first.start()
    port = int(store.get("heartbeat").decode().split()[0])
    with ExitStack() as strangers, suppress(OSError):
        until = time.monotonic() + GUARD_SECONDS
        while first.is_alive() and time.monotonic() < until:
            strangers.enter_context(socket.create_connection(("127.0.0.1", port), 20)).sendall(b"?")
            first.join(0.1)
    first.join(GUARD_SECONDS)
    assert not first.is_alive()
    assert told[0].startswith("process 0 of 2 has no connection by which process 0 at 127.0.0.1 shows that it lives (")


def test_without_a_connection_it_is_told() -> None:
    store = dist.HashStore()
    with socket.create_server(("127.0.0.1", 0)) as server:
        store.set("heartbeat", f"{server.getsockname()[1]} word")
    told = "process 1 of 2 has no connection by which process 0 at 127.0.0.1 shows that it lives ("
    with (
        pytest.raises(InputError, match=f"^{re.escape(told)}"),
        connected(Place(1, 2, 2), store, "127.0.0.1", 5, never),
    ):
        pass
