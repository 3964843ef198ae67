"""How long a thread that writes is waited for, by a clock that the test gives."""

from __future__ import annotations

import os
import sys
from threading import Semaphore, get_native_id
from types import SimpleNamespace

import pytest

from tests.waiting import GUARD_SECONDS, eventually
from tuili.machine import NICENESS
from tuili.train.checkpoint import saving
from tuili.train.checkpoint.saving import Saving


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Each look takes a second."""
    clock = SimpleNamespace(now=0.0)

    def tick() -> float:
        clock.now += 1
        return float(clock.now)

    monkeypatch.setattr(saving, "time", SimpleNamespace(monotonic=tick))
    monkeypatch.setattr(saving, "LOOK_SECONDS", 0)
    return clock


def test_a_thread_is_waited_for_as_long_as_it_gets_on(clock: SimpleNamespace) -> None:
    """A process that was stopped, as by Ctrl-Z, has not waited meanwhile."""
    asked, answered = Semaphore(0), Semaphore(0)

    def write(written: Saving) -> None:
        while asked.acquire():
            written.go_on()
            answered.release()

    written = Saving(3, write, beside_steps=True)
    for _ in range(3):
        for _ in range(290):
            written.wait()
        clock.now += 1000
        written.wait()
        assert written.report() == (False, None, True)
        asked.release()
        assert answered.acquire(timeout=GUARD_SECONDS)
    for _ in range(301):
        assert not written.is_over
        written.wait()
    written.wait()
    assert written.is_over
    assert written.report() == (False, "the disk does not answer, and has taken nothing for 300 s", True)
    assert written.waited == 3 * 291 + 302
    written.leave()
    asked.release()
    eventually(lambda: written.has_ended, "it goes on for nobody")
    assert written.report() == (True, "nobody waits for it any more", False)


def test_what_is_no_fault_of_the_disk_is_raised_as_it_was() -> None:
    def write(written: Saving) -> None:
        raise ZeroDivisionError

    written = Saving(3, write, beside_steps=True)
    eventually(lambda: written.has_ended, "it has not ended")
    with pytest.raises(ZeroDivisionError):
        written.report()


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority of their own here")
def test_a_writer_gives_way_to_steps_where_some_follow() -> None:
    told = list[int]()
    for beside_steps in (True, False):
        writing_it = Saving(
            1,
            lambda it: told.append(os.getpriority(os.PRIO_PROCESS, get_native_id())),
            beside_steps=beside_steps,
        )
        eventually(lambda it=writing_it: it.has_ended, "the thread has not ended")
        assert writing_it.report() == (True, None, False)
    here = os.getpriority(os.PRIO_PROCESS, get_native_id())
    assert told == [NICENESS, here]
    assert here < NICENESS
