"""How processes wait for process 0, which may take long to read data or to write a checkpoint: as long as it lives.

By a pulse in their store the others see that it does. How long they wait for one another is left to `processes`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from threading import Event, Thread

import torch.distributed as dist
from torch.distributed.distributed_c10d import Store

from tuili.train.dist.group import ReplicaDied

BEATS, BEAT_SECONDS = "beats", 0.5


@contextmanager
def beating(store: Store) -> Iterator[None]:
    """Inside, a thread tells the others that this process lives, whatever its main thread is doing."""
    ended = Event()
    own = store.clone()  # type: ignore[attr-defined]  # torch does not say so; a store serves one call at a time

    def beat() -> None:
        with suppress(dist.DistError, RuntimeError):  # who has the store may end first
            while not ended.wait(BEAT_SECONDS):
                own.add(BEATS, 1)

    Thread(target=beat, name="pulse", daemon=True).start()
    try:
        yield
    finally:
        ended.set()


class Appointments:
    """Places at which all processes wait for process 0, one after another."""

    def __init__(self, store: Store, rank: int, name: str) -> None:
        self._store, self._rank, self._name, self._count = store, rank, name, 0

    def meet(self, seconds: float, at_most: float) -> None:
        """Wait until process 0 has come here. All processes call this equally often, and meet behind it.

        Raises `ReplicaDied` where process 0 shows no pulse for so many seconds, or does not come in `at_most`.
        """
        self._count += 1
        if self._rank == 0:
            self._store.set(self._here(self._count), "")
            self._store.delete_key(self._here(self._count - 1))  # all have been there
            return
        beats, until = -1, time.monotonic() + at_most
        while True:
            try:
                self._store.wait([self._here(self._count)], timedelta(seconds=seconds))
                return
            except dist.DistStoreError:
                before, beats = beats, self._store.add(BEATS, 0)
                if before == beats or time.monotonic() > until:
                    raise ReplicaDied(f"process 0 does not answer any more, for {seconds:.0f} s") from None

    def _here(self, count: int) -> str:
        return f"{self._name}/{count}"
