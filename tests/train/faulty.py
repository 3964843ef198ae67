"""Runs the command and lets a fault happen to it, a moment after a step of its training: `STEP SECONDS FAULT train …`.

The run sees to that itself. Seen from outside, a run on a busy machine may be over before anybody notices its step.
It learns its tokenizer from few samples, as do those in the process of the tests that it is compared with.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from typing import Any

from tuili.cli.app import main
from tuili.data import sources
from tuili.train.log import TrainingLog

FEW_SAMPLES = 20
FAULTS = {
    "SIGKILL": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "SIGTERM": lambda: os.kill(os.getpid(), signal.SIGTERM),
    "SIGINT": lambda: os.kill(os.getpid(), signal.SIGINT),
    "Ctrl-C": lambda: os.killpg(0, signal.SIGINT),
    "the other is killed": lambda: multiprocessing.active_children()[0].kill(),
}


def run(step: int, seconds: float, fault: str, arguments: list[str]) -> int:
    """The exit status of the command, if the fault leaves it one."""
    write, pending = TrainingLog.step, [FAULTS[fault]]

    def write_and_fail(self: TrainingLog, at: int, *figures: Any, **more: Any) -> None:
        write(self, at, *figures, **more)
        if at >= step and pending:
            threading.Timer(seconds, pending.pop()).start()

    TrainingLog.step = write_and_fail  # type: ignore[method-assign]
    sources.TOKENIZER_SAMPLE_RECORDS = FEW_SAMPLES
    return main(arguments)


if __name__ == "__main__":
    sys.exit(run(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3], sys.argv[4:]))
