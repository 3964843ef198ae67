"""How the processes of a start find each other: in a store, where process 0 gives each start a word of its own.

Torchrun keeps its store across restarts, and counts restarts on each machine separately. So no process knows from its
environment what in the store is left over from before: it shows a token, and trusts only an answer that names it.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import time
from contextlib import suppress
from datetime import timedelta
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

import torch.distributed as dist
from torch.distributed.distributed_c10d import PrefixStore, Store

from tuili.errors import InputError
from tuili.train.dist.group import MEETING_SECONDS
from tuili.train.dist.processes.place import Place, where_first_is

HANDSHAKE_SECONDS = 15
"""How long a store may take to answer, if something listens."""
FAULT_SECONDS = 5
"""How long processes wait for those that have not come, once it is known that the run will not begin."""
EXCUSE_SECONDS = 20
"""How long a process that cannot take part waits for those it informs of that: they may take longer than it to load."""
LOOK_SECONDS = 0.05


def meet(place: Place, address: str, port: int) -> Store:
    """A store that the processes of this start share, and no earlier ones, once all of them have come.

    Raises `InputError` in all that have come if one cannot take part, was started with another world size than process
    0, or has not come in time; and if a stranger has the port.
    """
    until = time.monotonic() + MEETING_SECONDS
    store = _opened(place, address, port, until)
    if place.rank == 0:
        word, fault = _gather(place, store, until)
    else:
        if not _agent_has_store():
            _await_first(store, address, port)
        joined = _join(place, store, until)
        if joined is None:
            raise InputError(
                f"process 0 at {address}:{port} has begun without process {place.rank}: start all together, or, where "
                "that is another run, set MASTER_PORT to another port"
            )
        word, fault = joined
    if fault:
        raise InputError(fault)
    return PrefixStore(f"tuili/{word}", store)


def excuse(place: Place, address: str, port: int, fault: str) -> None:
    """Tell the others, if they come soon, why this process cannot take part."""
    until = time.monotonic() + EXCUSE_SECONDS
    with suppress(InputError, RuntimeError):
        store = _opened(place, address, port, until)
        if place.rank == 0:
            _gather(place, store, until, f"process 0 has failed: {fault}")
        else:
            _join(place, store, until, fault)


def tell_other_machines(fault: str) -> None:
    """Tell processes on other machines, which nothing else ends, why this one does not join them."""
    with suppress(InputError):
        if (place := Place.find()) and place.local_size < place.world_size:
            excuse(place, *where_first_is(), fault)


def _gather(place: Place, store: Store, until: float, fault: str | None = None) -> tuple[str, str | None]:
    """What process 0 does. Returns its word, and why the run cannot begin, as it has told all that have come."""
    word, cards, expected = secrets.token_hex(8), dict[int, dict[str, Any]](), place.world_size
    store.set("start", word)
    while len(cards) < expected - 1 and time.monotonic() < until:
        keys = (f"{word}/{number}" for number in range(store.add(f"{word}/came", 0)))
        came = (json.loads(store.get(key)) for key in keys if store.check([key]))  # else it was killed before `set`
        cards = {card["rank"]: card for card in came}  # the newest of a restarted process
        expected = max([place.world_size, *(card["size"] for card in cards.values())])
        if fault is None and (fault := next(filter(None, (_fault(card, place) for card in cards.values())), None)):
            until = min(until, time.monotonic() + FAULT_SECONDS)
        time.sleep(LOOK_SECONDS)
    if fault is None and (missing := set(range(1, expected)) - cards.keys()):
        fault = f"process {min(missing)} of {expected} did not come: check that all were started"
    store.set(f"{word}/answer", json.dumps({"tokens": [card["token"] for card in cards.values()], "fault": fault}))
    if fault:  # the store may end with this process
        until = time.monotonic() + FAULT_SECONDS
        while store.add(f"{word}/heard", 0) < len(cards) and time.monotonic() < until:
            time.sleep(LOOK_SECONDS)
    return word, fault


def _fault(card: dict[str, Any], place: Place) -> str | None:
    """Why a run cannot begin, according to what a process says about itself."""
    rank, size, fault = card["rank"], card["size"], card["fault"]
    if fault:
        return f"process {rank} has failed: {fault}"
    if size != place.world_size:
        started = f"process {rank} was started as one of {size}, process 0 as one of {place.world_size}"
        return f"WORLD_SIZE: {started}: start all alike"
    return None


def _join(place: Place, store: Store, until: float, fault: str | None = None) -> tuple[str, str | None] | None:
    """What another process does. Returns process 0's word, and why the run cannot begin, as process 0 says.

    None if the store is that of a process 0 that has begun without this one.
    """
    card = {"rank": place.rank, "size": place.world_size, "token": secrets.token_hex(8), "fault": fault}
    word, begun = "", None
    while time.monotonic() < until:
        if store.check(["start"]) and (newest := store.get("start").decode()) != word:
            word = newest  # perhaps of an earlier start, whose process 0 does not answer
            store.set(f"{word}/{store.add(f'{word}/came', 1) - 1}", json.dumps(card))
        if word and store.check([f"{word}/answer"]):
            answer = json.loads(store.get(f"{word}/answer"))
            if card["token"] in answer["tokens"]:
                store.add(f"{word}/heard", 1)
                return word, answer["fault"]
            begun = begun or time.monotonic()
            if not _agent_has_store() and time.monotonic() > begun + FAULT_SECONDS:  # else process 0 starts again
                return None
        time.sleep(LOOK_SECONDS)
    return word, f"process 0 of {place.world_size} did not come: check that all were started"


def _await_first(store: Store, address: str, port: int) -> None:
    """Wait for a word of process 0, which sets it as soon as it has made the store.

    Raises `InputError` if the store belongs to others.
    """
    until = time.monotonic() + FAULT_SECONDS
    while not store.check(["start"]):
        if time.monotonic() > until:
            raise _in_use(address, port)
        time.sleep(LOOK_SECONDS)


def _agent_has_store() -> bool:
    """Whether torchrun or the launcher, which started the processes, owns the store, from before they begin."""
    return os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"


def _in_use(address: str, port: int) -> InputError:
    return InputError(f"port {port} of {address} is in use: set MASTER_PORT to another one")


def _opened(place: Place, address: str, port: int, until: float) -> Store:
    """The store, which torchrun or the launcher owns, or else process 0.

    Raises `InputError` if something else listens there: torch would wait for its answer without end.
    """
    is_here = place.rank == 0 and not _agent_has_store()
    if not is_here:
        _await_listener(place, address, port, until)
    found: SimpleQueue[Store | Exception] = SimpleQueue()

    def connect() -> None:
        wait = timedelta(seconds=2 * HANDSHAKE_SECONDS)  # nobody waits for it by then
        try:  # torch does not declare the class as exported
            store = dist.TCPStore(address, port, is_master=is_here, wait_for_workers=False, timeout=wait)  # type: ignore[attr-defined]
            store.set_timeout(timedelta(seconds=MEETING_SECONDS))
            found.put(store)
        except Exception as error:
            found.put(error)

    Thread(target=connect, name="store", daemon=True).start()
    try:
        store = found.get(timeout=HANDSHAKE_SECONDS)
    except Empty:
        store = RuntimeError("EADDRINUSE")
    if not isinstance(store, Exception):
        return store
    if "EADDRINUSE" in str(store):
        raise _in_use(address, port) from store
    raise store


def _await_listener(place: Place, address: str, port: int, until: float) -> None:
    """Wait until something listens there."""
    while True:
        left = until - time.monotonic()
        try:
            socket.create_connection((address, port), max(left, LOOK_SECONDS)).close()
        except OSError as error:
            if left <= 0:
                raise InputError(
                    f"process {place.rank} of {place.world_size} did not meet the others at {address}:{port} "
                    f"({error}): check that all were started"
                ) from error
            time.sleep(LOOK_SECONDS)
        else:
            return
