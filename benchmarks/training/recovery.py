"""How a training of several processes goes on where they are killed: seconds until it learns again, steps that are done
twice, and whether it ends with the bytes of a run that was left alone.

Kills come at random moments, each some seconds behind the first step of a session. In turns SIGKILL goes to one of the
processes, which the launcher then starts again; to the launcher, with which the others end; and to all at once while a
checkpoint is being written. Behind the last two the same command with `--resume` is given as soon as nothing of the run
is left, as a supervisor would. Figures:

- `recovery`: seconds from a kill to the first step behind it, and `recovery_p95`; `VICTIM_recovery` by what was killed;
- `lost`: steps that were done and are done again, over those between two checkpoints;
- `goodput`: the time of the run that was left alone over that of the killed one; `goodput_at_60`, `goodput_at_300`:
  what it would be with a kill in so many seconds, if each cost as much as those here until the run is where it was;
- `saves_killed`: kills that have left half a checkpoint; `same_bytes`: 1 where the weights are those of the other run.
"""

from __future__ import annotations

import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

from benchmarks.harness.command import Measured, run
from benchmarks.harness.record import Figure
from tuili.errors import InputError
from tuili.store import model_hash

VICTIMS = ("worker", "launcher", "saving")
SECONDS = (60, 300)
"""Between two kills, for which goodput is told."""
LOOK_SECONDS, SAVE_LOOK_SECONDS = 0.02, 0.001
TAIL_BYTES = 8192


@dataclass(frozen=True)
class Kill:
    """What one kill has cost. recovery: seconds until the first step behind it. cost: seconds until the run is where it
    was. lost: steps that were done again. half_saved: whether it has left half a checkpoint."""

    victim: str
    recovery: float
    cost: float
    lost: int
    half_saved: bool


def measure(
    recipe: str = "quickstart",
    kills: int = 30,
    steps: int = 3400,
    interval: int = 100,
    gap: tuple[float, ...] = (3.0, 15.0),
    processes: int = 2,
    overrides: tuple[str, ...] = ("train.dist.backend=ddp",),
    seed: int = 1,
) -> Measured:
    """The figures. interval: steps between two checkpoints. gap: the least and the most seconds that a session learns
    before it is killed."""
    command = ["train", recipe, f"train.steps={steps}", f"checkpoint.interval={interval}", "log.interval=1"]
    command += [*overrides, "--nproc", str(processes), "--restarts", str(kills)]
    with tempfile.TemporaryDirectory(prefix="recovery-") as place:
        alone, killed = Killable(command, Path(place, "alone")), Killable(command, Path(place, "killed"))
        seconds = alone.to_the_end()
        begun, rng = time.monotonic(), random.Random(seed)
        found = [killed.kill(victim, rng, rng.uniform(*gap)) for victim in islice(cycle(VICTIMS), kills)]
        killed.to_the_end()
        whole = time.monotonic() - begun
        same = model_hash(alone.folder / "model") == model_hash(killed.folder / "model")
    settings = {"recipe": recipe, "steps": steps, "interval": interval, "gap": list(gap), "processes": processes}
    settings |= {"overrides": list(overrides), "seed": seed, "goal": "recovery 20 s, lost 1, goodput 0.6 and 0.9"}
    return settings, figures(found, interval) | {
        "goodput": Figure("share", [seconds / whole]),
        "seconds_alone": Figure("s", [seconds]),
        "same_bytes": Figure("runs", [float(same)]),
    }


def figures(kills: Sequence[Kill], interval: int) -> dict[str, Figure]:
    """Those of some kills, with so many steps between two checkpoints."""
    recoveries = [kill.recovery for kill in kills]
    mean_cost = statistics.mean(kill.cost for kill in kills)
    by_victim = {
        f"{victim}_recovery": Figure("s", [kill.recovery for kill in kills if kill.victim == victim])
        for victim in dict.fromkeys(kill.victim for kill in kills)
    }
    return {
        "kills": Figure("kills", [len(kills)]),
        "recovery": Figure("s", recoveries),
        "recovery_p95": Figure("s", [sorted(recoveries)[-(-95 * len(recoveries) // 100) - 1]]),
        **by_victim,
        "lost": Figure("intervals", [kill.lost / interval for kill in kills]),
        **{f"goodput_at_{every}": Figure("share", [max(0.0, 1 - mean_cost / every)]) for every in SECONDS},
        "saves_killed": Figure("kills", [sum(kill.half_saved for kill in kills)]),
    }


class Killable:
    """A run of `tuili train` in a folder. It is started when something is asked of it, and goes on if it has begun."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self.folder, self._command = folder, command
        self._errors = folder.with_suffix(".errors")
        self._process: subprocess.Popen[bytes] | None = None

    def to_the_end(self) -> float:
        """Let it end, and return the seconds."""
        begun = time.monotonic()
        if self._started().wait():
            raise self._failed()
        return time.monotonic() - begun

    def kill(self, victim: str, rng: random.Random, learning: float) -> Kill:
        """Let it learn for some seconds, kill a victim, and wait until it is where it was.

        Raises `InputError` where it is at its end before.
        """
        launcher = self._started()
        self._until(lambda: self._step() is not None)
        time.sleep(learning)
        if victim == "saving":
            self._until(lambda: any(self._scratch()), SAVE_LOOK_SECONDS)
        workers = list(_children(launcher.pid))
        whom = {"worker": rng.sample(workers, 1), "launcher": [launcher.pid], "saving": [launcher.pid, *workers]}
        reached, session, begun = self._step() or 0, self._session(), time.monotonic()
        for process in whom[victim]:
            os.kill(process, signal.SIGKILL)
        half_saved = any(self._scratch())
        if victim != "worker":
            launcher.wait()
            while any(map(_is_alive, workers)):
                time.sleep(LOOK_SECONDS)
            self._started()
        self._until(lambda: self._session() != session)
        first = self._step() or 0
        self._until(lambda: (self._step() or 0) > first)
        recovery = time.monotonic() - begun
        self._until(lambda: (self._step() or 0) >= reached)
        return Kill(victim, recovery, time.monotonic() - begun, max(0, reached - first), half_saved)

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            resume = ["--resume"] if (self.folder / "run.json").is_file() else []
            command = [sys.executable, "-m", "tuili", *self._command, "--out", str(self.folder), *resume]
            with self._errors.open("ab") as errors:
                self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)
        return self._process

    def _until(self, holds: Callable[[], bool], every: float = LOOK_SECONDS) -> None:
        while not holds():
            if (self.folder / "model").is_dir():
                raise InputError("the run was at its end before all kills: --steps makes it longer")
            if self._process is not None and self._process.poll():
                raise self._failed()
            time.sleep(every)

    def _failed(self) -> InputError:
        lines = self._errors.read_text(errors="replace").strip().splitlines()
        return InputError(f"the run has failed: {lines[-1] if lines else 'without a word'}")

    def _session(self) -> int | None:
        """What tells one session's log from that of another: each begins a new file."""
        log = self.folder / "log.jsonl"
        return log.stat().st_ino if log.is_file() else None

    def _step(self) -> int | None:
        """The last step that the log tells of."""
        log = self.folder / "log.jsonl"
        if not log.is_file():
            return None
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL_BYTES))
            lines = file.read().split(b"\n")[:-1]
        return int(lines[-1].split(b'"step": ')[1].split(b",")[0]) if lines else None

    def _scratch(self) -> Iterator[Path]:
        return (self.folder / "checkpoints").glob(".step-*")


def _children(parent: int) -> Iterator[int]:
    """The processes that one has started."""
    yield from map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text().split())


def _is_alive(process: int) -> bool:
    """Whether a process is there, and not merely to be collected."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


if __name__ == "__main__":
    run("recovery", measure)
