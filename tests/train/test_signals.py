"""What ends a run lets it save first, also where its terminal is closed."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.waiting import GUARD_SECONDS
from tuili.train.signals import ENDING_SIGNALS, interruptible

RUN = """
import signal, sys
from pathlib import Path
from tuili.train.signals import interruptible

signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may have been begun by nohup
with interruptible() as interrupted:
    print("begun", flush=True)
    interrupted.wait()
    print("a step", flush=True)
    Path(sys.argv[1]).touch()
"""


@pytest.mark.parametrize("number", ENDING_SIGNALS)
def test_the_first_signal_is_noted_and_the_second_one_ends(number: signal.Signals) -> None:
    """That a terminal is closed is told twice, by a shell and by the system."""
    before = signal.signal(number, signal.SIG_DFL)
    try:
        with interruptible() as interrupted:
            assert not interrupted.is_set()
            os.kill(os.getpid(), number)
            assert interrupted.is_set()
            with nullcontext() if number == signal.SIGHUP else pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), number)
        assert signal.getsignal(number) == signal.SIG_DFL
    finally:
        signal.signal(number, before)


def test_what_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruptible() as interrupted:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not interrupted.is_set()
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM], ids=["a run", "a process of a launcher"])
def test_a_run_whose_terminal_is_closed_is_saved(number: signal.Signals, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    saved = tmp_path / "saved"
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, str(saved)], stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    shown = b""
    while b"\n" not in shown:  # else it may still be writing
        shown += os.read(ours, 100)
    os.close(ours)
    process.send_signal(number)
    assert process.wait(GUARD_SECONDS) == 0
    assert saved.exists()
