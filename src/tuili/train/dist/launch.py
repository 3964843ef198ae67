"""Starts the processes of a run on this machine by torchrun's engine, and starts them again where one was killed.

What each of them does is the command line that it is given; how they meet is left to `processes`.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import uuid
from collections.abc import Callable, Mapping, Sequence
from tempfile import TemporaryDirectory

from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from tuili.errors import TuiliError
from tuili.machine import THREADS_VARIABLE, usable_cores
from tuili.provenance import code_hash
from tuili.train.dist.group import EXIT_ALONE

EXIT_FAILED, EXIT_INTERRUPTED = 1, 130
SAVING_SECONDS = 300
"""How long processes may take to save a checkpoint and end, after Ctrl-C or SIGTERM."""


def launch(
    arguments: Sequence[str],
    processes: int,
    restarts: int,
    can_resume: Callable[[], bool],
    tell: Callable[[str], None],
) -> int:
    """Run `tuili ARGUMENTS` in several processes until all have ended, and return the exit code.

    Where a process is killed by a signal, all are started again, `restarts` times at most, with `--resume` if
    `can_resume` then allows it. Raises `TuiliError` after that, and when Tuili's code has changed meanwhile.
    """
    code, done = code_hash(), 0
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)  # `tell` says the same in a line
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # DDP warns of what the backend means to have
    if THREADS_VARIABLE in os.environ:
        os.environ[THREADS_VARIABLE] = str(max(1, usable_cores() // processes))
    while True:
        more = ["--resume"] if done and "--resume" not in arguments and can_resume() else []
        ended = _run([*arguments, *more], processes)
        if (died := cause_of_death(ended)) is None:
            return exit_code(ended)
        if done == restarts:
            raise TuiliError(f"{died}, after {done} restarts: add --resume to go on all the same")
        if code_hash() != code:
            raise TuiliError(f"{died}, and Tuili's code has changed: add --resume to go on with it")
        tell(f"{died}: going on from the newest checkpoint, or from the start")
        done += 1


def cause_of_death(ended: Mapping[int, int]) -> str | None:
    """Why a run whose processes have ended with these exit codes, by rank, is to go on; None if it is not.

    Where a process fails, the others are ended by SIGTERM.
    """
    for rank, status in ended.items():
        if status < 0 and status != -signal.SIGTERM:
            return f"process {rank} was killed by {signal.Signals(-status).name}"
    if EXIT_ALONE in ended.values() and set(ended.values()) <= {0, EXIT_ALONE, -signal.SIGTERM}:
        return "a process has gone"
    return None


def exit_code(ended: Mapping[int, int]) -> int:
    """The exit code of a run whose processes have ended with these: that of the first one with a reason of its own."""
    reasons = [status for _, status in sorted(ended.items()) if status > 0 and status != EXIT_ALONE]
    if EXIT_INTERRUPTED in reasons:
        return EXIT_INTERRUPTED
    return reasons[0] if reasons else EXIT_FAILED if any(ended.values()) else 0


def _run(arguments: Sequence[str], processes: int) -> dict[int, int]:
    """The exit codes of the processes, by rank; those of signals are negative."""
    with TemporaryDirectory(prefix="tuili-") as scratch:
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=processes,
            run_id=uuid.uuid4().hex,
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",  # a free port
            local_addr="127.0.0.1",
            max_restarts=0,
            logs_specs=DefaultLogsSpecs(log_dir=scratch),
            shutdown_timeout=SAVING_SECONDS,
        )
        try:
            elastic_launch(config, sys.executable)("-m", "tuili", *arguments)
        except ChildFailedError as error:
            return {rank: failure.exitcode for rank, failure in error.failures.items()}
        except SignalException:
            return {0: EXIT_INTERRUPTED}
    return dict.fromkeys(range(processes), 0)
