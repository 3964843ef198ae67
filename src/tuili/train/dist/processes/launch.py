"""Starts the processes of a run on this machine, and restarts them if one was killed.

What each process does is decided by the command that it runs; how they meet is left to `processes`, and what their ends
mean to `ended`. Torchrun also starts processes, but it kills the others 30 seconds after a failure, in which time a
checkpoint may not get written, and does not distinguish those it has killed from those that have failed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from threading import current_thread, main_thread

import torch.distributed as dist

from tuili.errors import TuiliError
from tuili.machine import THREADS_VARIABLE, usable_cores
from tuili.parent import LAUNCHER_VARIABLE, same_modules
from tuili.provenance import code_hash
from tuili.train.dist.processes.ended import EXIT_INTERRUPTED, End, cause_of_death, exit_code, first_reason
from tuili.train.dist.processes.place import LOST_VARIABLE
from tuili.train.signals import hearing_signals

LOOK_SECONDS = 0.05
KILLED_SECONDS = 5.0
"""How long a process may take to end by SIGKILL: one that waits for a disk may not end."""
ADDRESS = "127.0.0.1"


@dataclass(frozen=True)
class Patience:
    """How many seconds the launcher waits."""

    notice: float = 5
    """If a process is gone: for the others to notice it, report it and end by themselves, before SIGTERM. Also for a
    process that hangs, after SIGTERM, if process 0 has ended: then no checkpoint can come of waiting longer."""
    reason: float = 10
    """If processes have noticed that another one is gone: for that one, which may be about to end."""
    silence: float = 30
    """For a process that has not ended by then: after SIGTERM, before SIGKILL."""
    saving: float = 300
    """For processes that may be writing a checkpoint, after a signal or the failure of a process other than process 0;
    and after another process has ended well."""


def launch(
    command: Sequence[str],
    processes: int,
    restarts: int,
    can_resume: Callable[[], bool],
    tell: Callable[[str], None],
    patience: Patience = Patience(),
) -> int:
    """Run `python COMMAND` in several processes until all have ended, and return the exit code.

    If a process is killed by a signal, or no longer answers, all are restarted, `restarts` times at most, with
    `--resume` if `can_resume` then allows it. Raises `TuiliError` if a process is lost after that, or if Tuili's code
    has changed meanwhile; `KeyboardInterrupt` if Ctrl-C or a signal has ended all before one could report it.
    """
    code, lost = code_hash(), list[int | None]()
    with _heard() as signals:
        while True:
            done = len(lost)
            more = ["--resume"] if done and "--resume" not in command and can_resume() else []
            ends = _Processes([*command, *more], processes, lost, signals, patience, tell).wait()
            died = None if signals else cause_of_death(ends)
            if died is None:
                status = exit_code(ends, bool(signals))
                if status == EXIT_INTERRUPTED and all(end.status != EXIT_INTERRUPTED for end in ends):
                    raise KeyboardInterrupt
                return status
            if done == restarts:
                raise TuiliError(f"{died.why}, after {done} restarts: add --resume to go on all the same")
            if code_hash() != code:
                raise TuiliError(f"{died.why}, and Tuili's code has changed: add --resume to go on with it")
            tell(f"{died.why}: going on from the newest checkpoint, or from the start")
            lost.append(died.rank)


class _Processes:
    """The processes of one start. `lost` has the rank of each process lost before it, None if that is not known;
    `signals` are those that the launcher has received so far."""

    def __init__(
        self,
        command: Sequence[str],
        count: int,
        lost: Sequence[int | None],
        signals: Sequence[int],
        patience: Patience,
        tell: Callable[[str], None],
    ) -> None:
        self._signals, self._patience, self._tell = signals, patience, tell
        self._ends = list[End]()
        # where they meet, at a free port; torch does not declare the class as exported
        self._store = dist.TCPStore(ADDRESS, 0, is_master=True, wait_for_workers=False)  # type: ignore[attr-defined]
        self._running = {
            rank: subprocess.Popen(
                [sys.executable, *command],
                env={**os.environ, **same_modules(), **_place(rank, count, lost, self._store.port)},
                start_new_session=True,  # Ctrl-C reaches only the launcher
            )
            for rank in range(count)
        }
        self._asked = False

    def wait(self) -> list[End]:
        """Wait until all have ended. Returns their ends in order.

        If one fails, this ends the others; if one ends well, it gives the others time.
        """
        self._look(lambda: bool(self._signals or self._ends))
        if not self._signals and not any(end.status for end in self._ends):  # then the others end, too
            self._look(lambda: bool(self._signals) or any(end.status for end in self._ends), self._patience.saving)
        if not self._signals and first_reason(self._ends) is None:
            self._look(lambda: bool(self._signals) or first_reason(self._ends) is not None, self._patience.reason)
        is_known = bool(self._signals) or first_reason(self._ends) is not None
        if is_known:
            self._look(lambda: bool(self._signals), self._patience.notice)
        silence = self._patience.silence if 0 in self._running else self._patience.notice
        seconds = self._patience.saving if is_known else silence
        until, passed_on, may_save = time.monotonic() + seconds, -1, is_known
        while self._running and time.monotonic() < until:
            if may_save and 0 not in self._running:  # it alone makes a checkpoint of what all wrote
                may_save, seconds = False, self._patience.silence
                until = time.monotonic() + seconds
            if len(self._signals) > passed_on:  # a second Ctrl-C is also for them
                passed_on = len(self._signals)
                self._send(signal.SIGTERM)
            self._look(lambda: True)
            time.sleep(LOOK_SECONDS)
        for rank in self._running:
            self._tell(f"process {rank} has not ended within {seconds:.0f} s: killed")
        self._send(signal.SIGKILL)
        self._look(lambda: False, KILLED_SECONDS)
        return self._ends + [End(rank, -signal.SIGKILL, self._asked) for rank in self._running]

    def _look(self, found: Callable[[], bool], seconds: float = float("inf")) -> None:
        """Record which processes have ended, until a condition holds, all have ended, or the time is up."""
        until = time.monotonic() + seconds
        while True:
            ended = [
                End(rank, status, self._asked)
                for rank, process in self._running.items()
                if (status := process.poll()) is not None
            ]
            for end in ended:
                del self._running[end.rank]
            self._ends += sorted(ended, key=lambda end: -end.status)  # those with a reason first
            if not self._running or found() or time.monotonic() >= until:
                return
            time.sleep(LOOK_SECONDS)

    def _send(self, number: signal.Signals) -> None:
        self._asked = True
        for process in self._running.values():
            process.send_signal(number)
            process.send_signal(signal.SIGCONT)  # a stopped process would not hear the other signal


def _place(rank: int, count: int, lost: Sequence[int | None], port: int) -> Mapping[str, str]:
    """The environment variables of a process, as if torchrun had started it."""
    threads = {THREADS_VARIABLE: str(max(1, usable_cores() // count))} if THREADS_VARIABLE in os.environ else {}
    return threads | {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": ADDRESS,
        "MASTER_PORT": str(port),
        "TORCHELASTIC_RESTART_COUNT": str(len(lost)),
        LOST_VARIABLE: " ".join(str(one) for one in lost if one is not None),
        "TORCHELASTIC_USE_AGENT_STORE": "True",  # the launcher owns the store in which they meet
        "TORCH_CPP_LOG_LEVEL": os.environ.get("TORCH_CPP_LOG_LEVEL", "ERROR"),  # DDP warns of what is intended
        LAUNCHER_VARIABLE: str(os.getpid()),
    }


@contextmanager
def _heard() -> Iterator[list[int]]:
    """Collects signals that would end this process, instead of letting them; only the main thread can receive them."""
    heard = list[int]()

    def note(number: int) -> None:
        if not heard or number != signal.SIGHUP:  # which comes twice when a terminal closes
            heard.append(number)

    with hearing_signals(note) if current_thread() is main_thread() else nullcontext():
        yield heard
