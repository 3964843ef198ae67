"""A real run of `tuili train` that can be watched and killed. When to do so is left to `recovery` and `saving`."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from benchmarks.training.processes import children, is_alive, kill, workers
from tuili.errors import InputError

LOOK_SECONDS, PATIENCE_SECONDS = 0.02, 300.0
TAIL_BYTES = 8192
CHECKPOINT, HALF_WRITTEN = "step-", ".step-"
"""The prefixes of the names of checkpoints."""
RESUMED = re.compile(r"^going on from step (\d+)$", re.MULTILINE)
TUILI = (sys.executable, "-m", "tuili")


@dataclass(frozen=True)
class Write:
    """A checkpoint that was written. step: its own. steps: how many were made meanwhile. As far as polling shows."""

    step: int
    seconds: float
    steps: int


class Killable:
    """A run in a folder. It starts when a method needs it, and resumes if it has begun; when the `with` block ends, no
    process of it is left.

    patience: seconds without a new step after which the run counts as hanging. program: what the command is passed to.
    """

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        *,
        patience: float = PATIENCE_SECONDS,
        program: Sequence[str] = TUILI,
    ) -> None:
        self.folder, self._command, self._patience = folder, [*program, *command], patience
        self._errors = folder.with_suffix(".errors")
        self._process: subprocess.Popen[bytes] | None = None
        self._log: BinaryIO | None = None
        self._sessions = 0
        self.given_again = 0
        """How often the command was given again because the run had ended with an error, not because we killed it."""

    def __enter__(self) -> Killable:
        return self

    def __exit__(self, *_: object) -> None:
        if self._log is not None:
            self._log.close()
        if self._process is not None and self._process.poll() is None:
            self._end(self._process, [self._process.pid, *children(self._process.pid)])

    def start(self) -> subprocess.Popen[bytes]:
        """Give the command, unless it is running."""
        if self._process is None or self._process.poll() is not None:
            self.given_again += self._process is not None and self._process.returncode != 0
            resume = ["--resume"] if (self.folder / "run.json").is_file() else []
            command = [*self._command, "--out", str(self.folder), *resume]
            with self._errors.open("ab") as errors:
                self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)
        return self._process

    def has_ended(self, may_fail: bool = False) -> bool:
        """Whether the run has reached its end. If it has failed and `may_fail` allows that, the command is given again.

        Raises `InputError` if it has failed and may not.
        """
        if self._process is None or (ended := self._process.poll()) is None:
            return False
        if ended and not may_fail:
            raise InputError(f"the run has failed: {(self.said() or ['without a word'])[-1]}")
        if ended:
            self.start()
        return not ended

    def to_the_end(self, look: Callable[[], object] = lambda: None, every: float = LOOK_SECONDS) -> float:
        """Let the run end, call `look` now and then, and return the seconds. Raises what `to` raises."""
        begun = time.monotonic()
        self.start()
        self.to(lambda: False, look, every)
        return time.monotonic() - begun

    def to(
        self, holds: Callable[[], bool], look: Callable[[], object] = lambda: None, every: float = LOOK_SECONDS
    ) -> None:
        """Wait for a condition, or for the end of the run.

        Raises `InputError` if the run has failed, or has made no step for `patience` seconds.
        """
        at, until = self.step(), time.monotonic() + self._patience
        while not self.has_ended() and not holds():
            look()
            if (now_at := self.step()) != at:
                at, until = now_at, time.monotonic() + self._patience
            self._check(until)
            time.sleep(every)

    def until(self, holds: Callable[[], bool], every: float = LOOK_SECONDS, may_fail: bool = False) -> None:
        """Wait for a condition. may_fail: whether the run may fail meanwhile, once.

        Raises `InputError` if the run ends before that, has failed, or makes no progress.
        """
        until, given_before = time.monotonic() + self._patience, self.given_again
        while not holds():
            if self.has_ended(may_fail and self.given_again == given_before):
                raise InputError("the run was at its end before all kills: --steps makes it longer")
            self._check(until)
            time.sleep(every)

    def strike(self, whom: str, rng: random.Random, killed: Callable[[], object] = lambda: None) -> None:
        """Send SIGKILL to one of the run's processes (`worker`), to the `launcher`, which is the command, or to `all`.
        If there is no worker yet, the launcher is killed.

        When nothing is left of a run whose launcher was killed, the command is given again, as a supervisor would do.
        killed: called after the kill and before that.
        """
        launcher = self.start()
        others = workers(launcher.pid)
        if whom == "worker" and others:
            kill(rng.choice(others))
            killed()
        else:
            self._end(launcher, [launcher.pid, *(others if whom == "all" else [])], others)
            killed()
            self.start()

    def said(self) -> list[str]:
        """The lines that all sessions have written for the user so far."""
        return self._errors.read_text(errors="replace").strip().splitlines()

    def resumed(self) -> list[int]:
        """The steps that the sessions resumed from."""
        return list(map(int, RESUMED.findall("\n".join(self.said()))))

    def session(self) -> int:
        """How many sessions have been seen to begin a log so far: each begins a new file. The last one seen stays open,
        so that no later one can have its inode number."""
        log = self.folder / "log.jsonl"
        known = None if self._log is None else os.fstat(self._log.fileno())
        if log.is_file() and (known is None or not os.path.samestat(known, log.stat())):
            newer = log.open("rb")
            if self._log is not None:
                self._log.close()
            self._log, self._sessions = newer, self._sessions + 1
        return self._sessions

    def step(self) -> int:
        """The last step in the log, or 0."""
        log = self.folder / "log.jsonl"
        if not log.is_file():
            return 0
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL_BYTES))
            lines = file.read().split(b"\n")[:-1]
        return int(lines[-1].split(b'"step": ')[1].split(b",")[0]) if lines else 0

    def saved(self) -> list[int]:
        """The steps of its checkpoints."""
        return self._steps_of(CHECKPOINT)

    def half_saved(self) -> list[int]:
        """The steps of checkpoints that are being written, or were left half written."""
        return self._steps_of(HALF_WRITTEN)

    def _steps_of(self, prefix: str) -> list[int]:
        names = (path.name.removeprefix(prefix) for path in (self.folder / "checkpoints").glob(f"{prefix}*"))
        return sorted(int(name) for name in names if name.isdigit())

    def _check(self, until: float) -> None:
        if time.monotonic() > until:
            raise InputError(f"the run has not gone on for {self._patience:g} s, at step {self.step()}")

    def _end(self, launcher: subprocess.Popen[bytes], whom: Sequence[int], others: Sequence[int] = ()) -> None:
        """Kill some processes, including the launcher, and wait until they and those that end with it are gone."""
        for process in whom:
            kill(process)
        if launcher.wait() == -signal.SIGKILL:
            self._process = None  # it did not fail by itself
        until = time.monotonic() + PATIENCE_SECONDS
        while any(map(is_alive, [*whom, *others])):
            if time.monotonic() > until:
                raise InputError(f"processes of a run whose launcher is gone live on after {PATIENCE_SECONDS:.0f} s")
            time.sleep(LOOK_SECONDS)


class Writes:
    """Records the checkpoints that a run writes. `look` has to be called now and then."""

    def __init__(self, run: Killable, clock: Callable[[], float] = time.monotonic) -> None:
        self._run, self._clock = run, clock
        self._begun, self._steps = dict[int, float](), dict[int, int]()
        self.seen = list[Write]()

    def look(self) -> None:
        """See which checkpoints are being written, and which no longer are."""
        now, at = self._clock(), self._run.half_saved()
        for step in at:
            self._begun.setdefault(step, now)
            self._steps[step] = max(0, self._run.step() - step)
        for step in self._begun.keys() - set(at):
            self.seen.append(Write(step, now - self._begun.pop(step), self._steps.pop(step)))
