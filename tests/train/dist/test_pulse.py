"""How long processes wait for one another in a step, and for the first one where it may read or write."""

from __future__ import annotations

from datetime import timedelta

import pytest
import torch.distributed as dist

from tests.waiting import eventually
from tuili.train.dist import processes, pulse
from tuili.train.dist.group import ReplicaDied
from tuili.train.dist.place import Place
from tuili.train.dist.pulse import BEATS, Appointments, beating


class FakeStore:
    """A store of one process, in which process 0 comes after so many waits, at each of which its pulse has beaten or
    not."""

    def __init__(self, beats: list[bool]) -> None:
        self._beats, self._beaten = beats, 0
        self.waits, self.keys = list[timedelta](), set[str]()

    def set(self, key: str, value: str) -> None:
        self.keys.add(key)

    def delete_key(self, key: str) -> None:
        self.keys.discard(key)

    def add(self, key: str, count: int) -> int:
        return self._beaten

    def wait(self, keys: list[str], seconds: timedelta) -> None:
        self.waits.append(seconds)
        if self._beats:
            self._beaten += self._beats.pop(0)
            raise dist.DistStoreError("wait timeout")
        assert keys == [key for key in self.keys if key in keys]


def test_others_wait_for_the_first_process_as_long_as_it_lives() -> None:
    store = FakeStore([True, True, True])
    first, other = (Appointments(store, rank, "steps") for rank in range(2))
    for _ in range(2):
        first.meet(5, 100)
        other.meet(5, 100)
    assert store.waits == [timedelta(seconds=5)] * 5
    assert len(store.keys) == 1


@pytest.mark.parametrize(("beats", "at_most"), [([True, True, False], 100), ([True] * 9, 0)])
def test_a_first_process_that_does_not_answer_has_died(beats: list[bool], at_most: float) -> None:
    with pytest.raises(ReplicaDied, match=r"^process 0 does not answer any more, for 5 s$"):
        Appointments(FakeStore(beats), 1, "steps").meet(5, at_most)


def test_a_thread_tells_that_a_process_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "BEAT_SECONDS", 0.01)
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    with beating(store):
        eventually(lambda: store.add(BEATS, 0) > 2, "it does not beat")


def test_a_step_is_waited_for_as_long_as_the_last_one_took_and_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = list[timedelta]()

    class FakeGroup:
        set_timeout = waits.append

    monkeypatch.setattr(processes, "gloo_group", lambda seconds: FakeGroup)
    group = processes.TorchGroup(Place(0, 2, 2), FakeStore([]), 600, 25)
    for last in (3.0, None):
        group.pace(last)
    assert waits == [timedelta(seconds=28), timedelta(seconds=processes.MEETING_SECONDS)]
