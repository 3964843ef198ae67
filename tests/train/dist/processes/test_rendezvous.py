"""How the processes of a start find one another, whatever else is where they meet."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
import torch.distributed as dist
from torch.distributed.distributed_c10d import Store

from tests.waiting import GUARD_SECONDS, eventually
from tuili.errors import InputError
from tuili.train.dist.processes import rendezvous
from tuili.train.dist.processes.place import Place
from tuili.train.dist.processes.rendezvous import excuse, meet

ADDRESS = "127.0.0.1"
Begin = Callable[..., Future[Store]]


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Such as torchrun keeps."""
    monkeypatch.setenv("TORCHELASTIC_USE_AGENT_STORE", "True")
    monkeypatch.setattr(rendezvous, "FAULT_SECONDS", GUARD_SECONDS)
    return dist.TCPStore(ADDRESS, 0, is_master=True, wait_for_workers=False)


@pytest.fixture
def port(store: Any) -> int:
    """Where it is."""
    return int(store.port)


@pytest.fixture
def begin(port: int) -> Iterator[Begin]:
    """Lets a process meet others, in a thread."""
    with ThreadPoolExecutor(8) as threads:
        yield lambda rank, size: threads.submit(meet, Place(rank, size, size), ADDRESS, port)


def fault(of: Future[Store]) -> str:
    with pytest.raises(InputError) as caught:
        of.result(GUARD_SECONDS)
    return str(caught.value)


def test_those_of_one_start_share_a_store(begin: Begin) -> None:
    first, other = (begin(rank, 2).result for rank in range(2))
    first(GUARD_SECONDS).set("key", "value")
    assert other(GUARD_SECONDS).get("key") == b"value"


def test_what_an_earlier_start_has_left_is_not_taken_for_this_one(store: Any, begin: Begin) -> None:
    """Though one process comes before process 0 has begun anew, and no process knows how many starts there were."""
    for met in [begin(rank, 2) for rank in range(2)]:
        met.result(GUARD_SECONDS).set("key", "old")
    came = f"{store.get('start').decode()}/came"
    other = begin(1, 2)
    eventually(lambda: store.add(came, 0) == 2, "process 1 has not come")
    first = begin(0, 2).result(GUARD_SECONDS)
    first.set("key", "new")
    assert other.result(GUARD_SECONDS).get("key") == b"new"


def test_a_process_that_is_started_again_meanwhile_is_met_once(store: Any, begin: Begin) -> None:
    """What it has said before it ended does not stand for another one."""
    first = begin(0, 3)
    eventually(lambda: store.check(["start"]), "process 0 has not come")
    word = store.get("start").decode()
    card = {"rank": 1, "size": 3, "token": "of one that has ended", "fault": None}
    store.add(f"{word}/came", 1)  # of one that has ended before it could say anything
    store.set(f"{word}/{store.add(f'{word}/came', 1) - 1}", json.dumps(card))
    again = begin(1, 3)
    eventually(lambda: store.add(f"{word}/came", 0) == 3, "process 1 has not come again")
    others = [again, begin(2, 3)]
    first.result(GUARD_SECONDS).set("key", "value")
    assert all(other.result(GUARD_SECONDS).get("key") == b"value" for other in others)


@pytest.mark.parametrize("sizes", [(3, 2), (2, 3), (3, 3, 2), (3, 2, 3), (2, 3, 3)])
def test_other_numbers_of_processes_are_noticed_by_all_that_come(
    sizes: tuple[int, ...], begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever was started with the wrong one: process 0 does not wait long for others that will not come."""
    if len(sizes) < max(sizes):
        monkeypatch.setattr(rendezvous, "FAULT_SECONDS", 0.2)
    came = [begin(rank, size) for rank, size in enumerate(sizes)]
    (told,) = {fault(of) for of in came}
    assert told in {
        f"WORLD_SIZE: process {rank} was started as one of {size}, process 0 as one of {sizes[0]}: start all alike"
        for rank, size in enumerate(sizes)
        if size != sizes[0]
    }


@pytest.mark.parametrize("rank", [0, 2])
def test_why_one_cannot_take_part_all_tell(rank: int, port: int, begin: Begin) -> None:
    waiting = [begin(other, 3) for other in range(3) if other != rank]
    excuse(Place(rank, 3, 3), ADDRESS, port, "there is no GPU")
    assert {fault(of) for of in waiting} == {f"process {rank} has failed: there is no GPU"}


@pytest.mark.parametrize("rank", [0, 1])
def test_whoever_comes_later_is_told_too(rank: int, port: int, begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where its machine takes longer to load."""
    monkeypatch.setattr(rendezvous, "FAULT_SECONDS", 0.2)
    monkeypatch.setattr(rendezvous, "EXCUSE_SECONDS", GUARD_SECONDS)
    with ThreadPoolExecutor(1) as thread:
        told = thread.submit(excuse, Place(rank, 2, 2), ADDRESS, port, "there is no GPU")
        time.sleep(0.5)
        assert fault(begin(1 - rank, 2)) == f"process {rank} has failed: there is no GPU"
        told.result(GUARD_SECONDS)


def test_nobody_is_told_where_nobody_waits(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendezvous, "EXCUSE_SECONDS", 0.2)
    for rank in range(2):
        excuse(Place(rank, 2, 2), ADDRESS, port, "there is no GPU")
    with socket.create_server((ADDRESS, 0)) as server:
        port = server.getsockname()[1]
    excuse(Place(1, 2, 2), ADDRESS, port, "there is no GPU")


@pytest.mark.parametrize("missing", [0, 1])
def test_whoever_does_not_come_is_named(missing: int, begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendezvous, "MEETING_SECONDS", 0.5)
    told = f"process {missing} of 2 did not come: check that all were started"
    assert fault(begin(1 - missing, 2)) == told


def test_nothing_that_listens_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendezvous, "MEETING_SECONDS", 0.2)
    with socket.create_server((ADDRESS, 0)) as server:
        port = server.getsockname()[1]
    told = f"process 1 of 2 did not meet the others at {ADDRESS}:{port} ([Errno 111] Connection refused): check that"
    with pytest.raises(InputError, match=f"^{re.escape(told)}"):
        meet(Place(1, 2, 2), ADDRESS, port)


def test_a_store_of_others_is_not_waited_in(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where process 0 is to make the store itself, which it cannot: another job of torch has the port."""
    monkeypatch.delenv("TORCHELASTIC_USE_AGENT_STORE")
    monkeypatch.setattr(rendezvous, "FAULT_SECONDS", 0.2)
    for rank in range(2):
        with pytest.raises(InputError, match=f"^port {port} of {ADDRESS} is in use: set MASTER_PORT to another one$"):
            meet(Place(rank, 2, 2), ADDRESS, port)


def test_a_store_of_a_run_that_has_begun_is_not_waited_in(
    port: int, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = begin(0, 2), begin(1, 2)
    assert [one.result(GUARD_SECONDS) is not None for one in both] == [True, True]
    monkeypatch.delenv("TORCHELASTIC_USE_AGENT_STORE")
    monkeypatch.setattr(rendezvous, "FAULT_SECONDS", 0.2)
    with pytest.raises(InputError, match=f"^process 0 at {ADDRESS}:{port} has begun without process 1: start all toge"):
        meet(Place(1, 2, 2), ADDRESS, port)


def test_a_stranger_that_never_answers_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendezvous, "HANDSHAKE_SECONDS", 0.2)
    with socket.create_server((ADDRESS, 0)) as stranger:
        port = stranger.getsockname()[1]
        join = partial(meet, Place(1, 2, 2), ADDRESS, port)
        with pytest.raises(InputError, match=f"^port {port} of {ADDRESS} is in use: set MASTER_PORT to another one$"):
            join()
    for thread in threading.enumerate():  # the stranger has gone
        if thread.name == "store":
            thread.join(GUARD_SECONDS)
