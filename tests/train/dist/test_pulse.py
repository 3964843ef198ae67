"""How long processes wait for one another in a step, and for the first one where it may read or write."""

from __future__ import annotations

import re
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import timedelta
from threading import Thread

import pytest
import torch.distributed as dist

from tests.waiting import GUARD_SECONDS
from tuili.errors import InputError
from tuili.train.dist import processes, pulse
from tuili.train.dist.group import MEETING_SECONDS, ReplicaDied
from tuili.train.dist.place import Place
from tuili.train.dist.pulse import BEAT, HERE, Pulse, PulseOfFirst, PulseOfOther, connected

GONE = "another process has ended or does not answer"


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    first, other = socket.socketpair()
    with first, other:
        yield first, other


def test_others_wait_until_the_first_process_has_come(ends: tuple[socket.socket, socket.socket]) -> None:
    first, other = ends
    first.sendall(BEAT * 3 + HERE + BEAT)
    waits = PulseOfOther(other)
    waits.meet(5, 100)
    with pytest.raises(ReplicaDied, match=rf"^{GONE} \(process 0 has not shown any sign of life for 0 s\)$"):
        waits.meet(0.01, 100)  # it has come but once
    first.sendall(HERE)
    waits.meet(5, 100)


def test_a_thread_tells_that_the_first_process_lives(
    ends: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that others wait for longer than they do without a sign."""
    monkeypatch.setattr(pulse, "BEAT_SECONDS", 0.01)
    first = PulseOfFirst([ends[0]])
    with pytest.raises(ReplicaDied, match=rf"^{GONE} \(process 0 has been busy for 0 s\)$"):
        PulseOfOther(ends[1]).meet(5, 0)
    first.meet(5, 100)
    PulseOfOther(ends[1]).meet(5, 100)
    first.close()


def test_a_first_process_that_is_killed_is_missed_at_once(ends: tuple[socket.socket, socket.socket]) -> None:
    ends[0].close()
    with pytest.raises(ReplicaDied, match=rf"^{GONE} \(process 0 has ended"):
        PulseOfOther(ends[1]).meet(100, 100)


def test_others_hear_whether_the_first_process_says_why_the_run_ends(
    ends: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where they have waited for it meanwhile, and where it has ended behind that."""
    monkeypatch.setattr(pulse, "TELLS_SECONDS", GUARD_SECONDS)
    first, waits = PulseOfFirst([ends[0]]), PulseOfOther(ends[1])
    assert first.first_tells()
    first.close()
    ends[0].close()
    with pytest.raises(ReplicaDied, match="process 0 has ended"):
        waits.meet(100, 100)
    assert waits.first_tells()


def test_others_hear_nothing_of_a_first_process_that_has_gone_or_hangs(
    ends: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulse, "TELLS_SECONDS", 0.1)
    ends[0].sendall(BEAT * 3)
    waits = PulseOfOther(ends[1])
    assert not waits.first_tells()
    monkeypatch.setattr(pulse, "TELLS_SECONDS", GUARD_SECONDS)
    ends[0].close()
    assert not waits.first_tells()


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
        with connected(Place(rank, 3, 3), store, "127.0.0.1", 20) as mine:
            for _ in range(2):
                mine.meet(20, 20)
                came.append(rank)

    threads = [Thread(target=work, args=(rank,)) for rank in range(3)]
    threads[0].start()
    port = int(store.get("pulse").decode().split()[0])
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
        with connected(Place(0, 2, 2), store, "127.0.0.1", 20) as mine:
            mine.meet(20, 20)
            came.append(0)

    first = Thread(target=work)
    first.start()
    port, word = store.get("pulse").decode().split()
    with socket.create_connection(("127.0.0.1", int(port)), 20) as other:
        other.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for part in (word[:5], word[5:]):
            other.sendall(part.encode())
            time.sleep(0.05)
        PulseOfOther(other).meet(20, 20)
    first.join()
    assert came == [0]


def test_strangers_do_not_make_the_time_longer() -> None:
    store, told = dist.HashStore(), list[str]()

    def work() -> None:
        with pytest.raises(InputError) as caught, connected(Place(0, 2, 2), store, "127.0.0.1", 0.3):
            pass
        told.append(str(caught.value))

    first = Thread(target=work)
    first.start()
    port = int(store.get("pulse").decode().split()[0])
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
        store.set("pulse", f"{server.getsockname()[1]} word")
    told = "process 1 of 2 has no connection by which process 0 at 127.0.0.1 shows that it lives ("
    with pytest.raises(InputError, match=f"^{re.escape(told)}"), connected(Place(1, 2, 2), store, "127.0.0.1", 5):
        pass


def test_a_step_is_waited_for_as_long_as_the_last_one_took_and_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = list[timedelta]()

    class FakeGroup:
        set_timeout = waits.append

    class FakePulse(Pulse):
        pass

    monkeypatch.setattr(processes, "gloo_group", lambda seconds: FakeGroup)
    group = processes.TorchGroup(Place(0, 2, 2), FakePulse(), 600, 25)
    for last in (3.0, None):
        group.pace(last)
    assert waits == [timedelta(seconds=28), timedelta(seconds=MEETING_SECONDS)]


def test_a_first_process_that_stands_still_is_noticed_before_the_steps_too(
    ends: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "gloo_group", lambda seconds: None)
    monkeypatch.setattr(processes, "MEETING_SECONDS", 0.1)
    group = processes.TorchGroup(Place(1, 2, 2), PulseOfOther(ends[1]), 600)
    with pytest.raises(ReplicaDied, match="process 0 has not shown any sign of life"):
        group.all_gather(None)
