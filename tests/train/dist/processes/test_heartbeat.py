"""How long processes wait for one another in a step, and for the first one where it may read or write."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from datetime import timedelta
from queue import SimpleQueue

import pytest

from tests.waiting import GUARD_SECONDS, eventually
from tuili.train.dist import torch_group
from tuili.train.dist.group import MEETING_SECONDS, ReplicaDied
from tuili.train.dist.processes import heartbeat
from tuili.train.dist.processes.heartbeat import BEAT, HERE, TELLS, Heartbeat
from tuili.train.dist.processes.place import Place
from tuili.train.recipe import TrainConfig

GONE = "another process has ended or does not answer"
Begin = Callable[[int, Mapping[int, socket.socket]], tuple[Heartbeat, "SimpleQueue[ReplicaDied]"]]


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    first, other = socket.socketpair()
    with first, other:
        yield first, other


@pytest.fixture
def begin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Begin]:
    """Begins a heartbeat, which ends with the test, and what it gives up for."""
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0.01)
    with ExitStack() as opened:

        def begin(rank: int, links: Mapping[int, socket.socket]) -> tuple[Heartbeat, SimpleQueue[ReplicaDied]]:
            given_up = SimpleQueue[ReplicaDied]()
            return opened.enter_context(closing(Heartbeat(rank, links, given_up.put))), given_up

        yield begin


def test_others_wait_until_the_first_process_has_come(ends: tuple[socket.socket, socket.socket], begin: Begin) -> None:
    first, other = ends
    first.sendall(BEAT * 3 + HERE + BEAT)
    waits, _ = begin(1, {0: other})
    waits.meet(5, 100)
    with pytest.raises(ReplicaDied, match=rf"^{GONE} \(process 0 has not shown any sign of life for 0 s\)$"):
        waits.meet(0.1, 100)  # it has come but once
    first.sendall(HERE)
    waits.meet(GUARD_SECONDS, 100)


def test_a_thread_tells_that_the_first_process_lives(ends: tuple[socket.socket, socket.socket], begin: Begin) -> None:
    """So that others wait for longer than they do without a sign."""
    (first, _), (waits, _) = begin(0, {1: ends[0]}), begin(1, {0: ends[1]})
    with pytest.raises(ReplicaDied, match=rf"^{GONE} \(process 0 has been busy for 1 s\)$"):
        waits.meet(0.5, 1)
    first.meet(5, 100)
    waits.meet(5, 100)


def test_a_first_process_that_is_killed_is_missed_at_once(
    ends: tuple[socket.socket, socket.socket], begin: Begin
) -> None:
    ends[0].close()
    waits, _ = begin(1, {0: ends[1]})
    with pytest.raises(ReplicaDied, match=rf"^{GONE} \(process 0 has ended"):
        waits.meet(100, 100)


def test_where_all_others_have_gone_no_thread_is_left_to_wait_for(
    ends: tuple[socket.socket, socket.socket], begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that has noticed it ends at once: its launcher may end it otherwise, before it has said why."""
    before = {thread.ident for thread in threading.enumerate()}
    for name in ("BEAT_SECONDS", "TELLS_SECONDS"):
        monkeypatch.setattr(heartbeat, name, 2 * GUARD_SECONDS)
    waits, _ = begin(1, {0: ends[1]})
    ends[0].close()
    threading.Thread(target=waits.close, daemon=True).start()
    eventually(lambda: not {thread.ident for thread in threading.enumerate()} - before, "its thread goes on")


@pytest.mark.parametrize("told", [False, True])
def test_who_waits_for_yet_another_one_when_the_first_process_has_gone_gives_up(
    told: bool, ends: tuple[socket.socket, socket.socket], begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That one may hang, and process 0 has ended because of it. Nobody gives up who does not wait."""
    monkeypatch.setattr(heartbeat, "TELLS_SECONDS", 0.1)
    waits, given_up = begin(2, {0: ends[1]})
    ends[0].sendall(BEAT + (TELLS if told else b""))
    ends[0].close()
    time.sleep(0.3)
    assert given_up.empty()
    with waits.watching(1000):
        error = given_up.get(timeout=GUARD_SECONDS)
    assert str(error).startswith(f"{GONE} (process 0 has ended")
    assert error.first_tells == told


def test_it_is_told_that_all_wait_for_the_first_process(
    ends: tuple[socket.socket, socket.socket], begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = list[str]()
    ends[0].sendall(BEAT + HERE)
    waits, _ = begin(1, {0: ends[1]})
    waits.meet(100, 100, lambda: told.append("it comes at once"))
    monkeypatch.setattr(heartbeat, "BUSY_SECONDS", 0.1)
    with pytest.raises(ReplicaDied, match="process 0 has been busy for 0 s"):
        waits.meet(100, 0.5, lambda: told.append("it is busy"))
    assert told == ["it is busy"]


def test_one_that_hangs_is_told_within_half_a_minute_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """In steps of 5 seconds, where it has stood still since the beginning of one, and the others wait for process 0,
    which cannot say so; in longer ones where it shows no sign of life."""
    waits, silences = paced(monkeypatch, TrainConfig().dist.timeout, 5.0, 600.0)
    assert 5 + waits[0].total_seconds() + heartbeat.TELLS_SECONDS <= 30
    assert all(silence + heartbeat.BEAT_SECONDS + heartbeat.TELLS_SECONDS <= 30 for silence in silences)


def test_others_hear_whether_the_first_process_says_why_the_run_ends(
    ends: tuple[socket.socket, socket.socket], begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where they have waited for it meanwhile, and where it has ended behind that."""
    monkeypatch.setattr(heartbeat, "TELLS_SECONDS", GUARD_SECONDS)
    (first, _), (waits, _) = begin(0, {1: ends[0]}), begin(1, {0: ends[1]})
    assert first.first_tells()
    first.close()
    with pytest.raises(ReplicaDied, match="process 0 has ended"):
        waits.meet(100, 100)
    assert waits.first_tells()


def test_others_hear_nothing_of_a_first_process_that_has_gone_or_hangs(
    ends: tuple[socket.socket, socket.socket], begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "TELLS_SECONDS", 0.1)
    ends[0].sendall(BEAT * 3)
    waits, _ = begin(1, {0: ends[1]})
    assert not waits.first_tells()
    monkeypatch.setattr(heartbeat, "TELLS_SECONDS", GUARD_SECONDS)
    ends[0].close()
    assert not waits.first_tells()


@pytest.mark.parametrize("rank", [0, 1])
def test_one_that_stands_still_ends_those_who_watch_it(
    rank: int, ends: tuple[socket.socket, socket.socket], begin: Begin
) -> None:
    """Where it has lived before, and was not watched then; process 0 tells the others that it says so."""
    ends[0].sendall(BEAT)
    watcher, given_up = begin(rank, {1 - rank: ends[1]})
    with watcher.watching(1000):
        time.sleep(0.2)
    time.sleep(0.2)
    assert given_up.empty()
    with watcher.watching(0.1):
        error = given_up.get(timeout=GUARD_SECONDS)
        time.sleep(0.1)
    assert str(error) == f"{GONE} (process {1 - rank} has not shown any sign of life for 0 s)"
    watcher.close()
    told = b"".join(iter(lambda: ends[0].recv(1 << 16), b""))
    assert set(told) == set(b".?" if rank == 0 else b".")
    assert given_up.empty(), "it has been told twice"


def test_who_has_ended_is_not_watched(ends: tuple[socket.socket, socket.socket], begin: Begin) -> None:
    """Whoever waits for it notices that it has gone."""
    first, second = socket.socketpair()
    with first, second:
        ends[0].close()
        second.sendall(BEAT)
        watcher, given_up = begin(0, {1: ends[1], 2: first})
        with watcher.watching(0.2):
            error = given_up.get(timeout=GUARD_SECONDS)
    assert "(process 2 has not" in str(error)


def test_of_several_that_stand_still_each_is_told(ends: tuple[socket.socket, socket.socket], begin: Begin) -> None:
    """Process 0 kills replicas: one of them may be the one that it waits for."""
    first, second = socket.socketpair()
    with first, second:
        for link in (second, ends[0]):
            link.sendall(BEAT)
        watcher, given_up = begin(0, {1: ends[1], 2: first})
        with watcher.watching(0.1):
            lost = {given_up.get(timeout=GUARD_SECONDS).lost for _ in range(2)}
    assert lost == {1, 2}


def test_a_process_that_stood_still_itself_gives_others_time(
    ends: tuple[socket.socket, socket.socket], begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by Ctrl-Z, which stops all: a moment behind that, nobody has been silent for long."""
    now = heartbeat.time.monotonic
    jump = list[float]()
    monkeypatch.setattr(heartbeat.time, "monotonic", lambda: now() + sum(jump))
    ends[0].sendall(BEAT)
    watcher, given_up = begin(0, {1: ends[1]})
    with watcher.watching(100):
        for _ in range(20):
            jump.append(90)
            ends[0].recv(1)  # it has beaten meanwhile
    assert given_up.empty()


def paced(
    monkeypatch: pytest.MonkeyPatch, timeout: int, *last: float | None, pause: bool = False
) -> tuple[list[timedelta], list[float]]:
    """How long a process waits for others, and for a sign of life, behind steps that took so long."""
    waits, watched = list[timedelta](), list[float]()

    class FakeGroup:
        set_timeout = waits.append

    class FakeHeartbeat(Heartbeat):
        def __init__(self) -> None:
            self.watching = watched.append  # type: ignore[method-assign, assignment]

    monkeypatch.setattr(torch_group, "gloo_group", lambda seconds: FakeGroup)
    group = torch_group.TorchGroup(Place(0, 2, 2), FakeHeartbeat(), timeout, in_steps=True)
    for seconds in last:
        group.pace(seconds)
        group.watched()
    if pause:
        group.pause()
        group.watched()
    return waits, watched


def test_a_step_is_waited_for_as_long_as_the_last_one_took_and_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of which nobody knows that, as long as all live; before one for which all are given time, at any rate."""
    waits, watched = paced(monkeypatch, 25, 1.5, 3.0, None, pause=True)
    assert waits == [timedelta(seconds=26.5), timedelta(seconds=28), *[timedelta(seconds=MEETING_SECONDS)] * 2]
    assert watched == [33, 34, 25, MEETING_SECONDS]


def test_a_first_process_that_stands_still_is_noticed_before_the_steps_too(
    ends: tuple[socket.socket, socket.socket], begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch_group, "gloo_group", lambda seconds: None)
    ends[0].sendall(BEAT)
    waits, _ = begin(1, {0: ends[1]})
    group = torch_group.TorchGroup(Place(1, 2, 2), waits, 1)
    with pytest.raises(ReplicaDied, match=re.escape("process 0 has not shown any sign of life for 1 s")):
        group.all_gather(None)
