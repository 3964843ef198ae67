"""Runs the command and lets faults happen to it, each a moment after a step: `"STEP SECONDS FAULT, …" train …`; behind
`once`, in its first start alone. `once` and `saved` ones wait for a checkpoint: its writers give way to steps.

An interrupted run is resumed for the next fault, in the same process. The run sees to the faults itself: seen from
outside, a run on a busy machine may be over before anybody notices its step. It learns its tokenizer from few samples,
as do those in the process of the tests that it is compared with.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import eventually
from tuili.cli.app import main
from tuili.data import sources
from tuili.train.checkpoint import saving, writing
from tuili.train.dist import replicas
from tuili.train.log import TrainingLog

FEW_SAMPLES, FEW_PROBLEMS = 20, 3


def hang_disk() -> None:
    """No checkpoint of this process is written to its end any more, which is soon noticed."""
    saving.LOOK_AT_MOST, saving.HANGING_SECONDS = 0.2, 0.4
    writing.write_durably = lambda *given: threading.Event().wait()  # type: ignore[assignment,misc]


FAULTS = {
    "SIGKILL": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "SIGTERM": lambda: os.kill(os.getpid(), signal.SIGTERM),
    "SIGINT": lambda: os.kill(os.getpid(), signal.SIGINT),
    "SIGSTOP": lambda: os.kill(os.getpid(), signal.SIGSTOP),
    "Ctrl-C": lambda: os.killpg(0, signal.SIGINT),
    "the other is killed": lambda: multiprocessing.active_children()[0].kill(),
    "the disk hangs": hang_disk,
}


INTERRUPTED = 130


def run(faults: str, arguments: list[str], *, behind_checkpoint: bool = False) -> int:
    """The exit status of the command, if the last fault leaves it one."""
    checkpoints = Path(arguments[arguments.index("--out") + 1], "checkpoints")
    write, pending = TrainingLog.step, [fault.split(maxsplit=2) for fault in faults.split(", ") if fault]

    def write_and_fail(self: TrainingLog, at: int, *figures: Any, **more: Any) -> None:
        write(self, at, *figures, **more)
        if pending and at >= int(pending[0][0]):
            _, seconds, fault = pending.pop(0)
            if behind_checkpoint:
                eventually(lambda: [*checkpoints.glob("step-*")], "there is no checkpoint")
            threading.Timer(float(seconds), FAULTS[fault]).start()

    TrainingLog.step = write_and_fail  # type: ignore[method-assign]
    sources.TOKENIZER_SAMPLE_RECORDS, sources.CHECKED_PROBLEMS = FEW_SAMPLES, FEW_PROBLEMS
    status = main(arguments)
    while status == INTERRUPTED and pending:
        sys.stdout.flush()  # the next fault may leave no time for it
        status = main([*arguments, "--resume"])
    return status


def run_copied(faults: str, arguments: list[str]) -> int:
    """The same in a copy of a process: its replicas are copies of it, and in its process group."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replicas, "get_context", lambda method: get_context("fork"))
        return run(faults, arguments)


if __name__ == "__main__":
    when, _, rest = sys.argv[1].partition(" ")
    behind = when in ("once", "saved")
    given = rest if behind else sys.argv[1]
    if when == "once" and os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") != "0":
        given = ""
    sys.exit(run(given, sys.argv[2:], behind_checkpoint=behind))
