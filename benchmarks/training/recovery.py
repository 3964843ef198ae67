"""How a training of several processes goes on where they are killed: seconds until it learns again, steps that are done
twice, and whether it ends with the bytes of a run that was left alone.

A kill comes a random number of steps behind the step at which the run was killed before. SIGKILL goes to one of the
processes, which the launcher then starts again; or to the launcher, with which the others end; or to all at once while
a checkpoint is being written. Behind the last two the same command with `--resume` is given as soon as nothing of the
run is left, as a supervisor would. Which kill comes when is random, too; there are equally many of each. Figures:

- `recovery`: seconds from a kill to the first step behind it, and `recovery_p95`; `VICTIM_recovery` by what was killed;
- `VICTIM_lost`: steps that were done and are done again, over those between two checkpoints;
- `goodput`: the seconds of the run that was left alone over those of the killed one. A kill costs the seconds until the
  run is at the step where it was killed; `goodput_at_60` is what their mean leaves of 60 seconds, and so on;
- `saves_killed`: kills of all processes that have left half a checkpoint;
- `same_bytes`: 1 where the weights are those of the run that was left alone.
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
from contextlib import suppress
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
LOOK_SECONDS, SAVE_LOOK_SECONDS, PATIENCE_SECONDS = 0.02, 0.005, 300.0
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
    gap: tuple[float, ...] = (0.1, 1.1),
    processes: int = 2,
    overrides: tuple[str, ...] = ("train.dist.backend=ddp",),
    seed: int = 1,
    warm_up: int = 4,
) -> Measured:
    """The figures. interval: steps between two checkpoints. gap: the least and the most of that between two kills.
    warm_up: steps of a run before, which fills caches; 0 leaves it out."""
    command = ["train", recipe, *overrides, f"checkpoint.interval={interval}", "log.interval=1"]
    command += ["--nproc", str(processes), "--restarts", str(kills)]
    rng = random.Random(seed)
    victims = rng.sample(list(islice(cycle(VICTIMS), kills)), kills)
    with tempfile.TemporaryDirectory(prefix="recovery-") as place:

        def started(name: str, until: int = steps) -> Killable:
            return Killable([*command, f"train.steps={until}"], Path(place, name))

        if warm_up:
            with started("warm-up", warm_up) as warming_up:
                warming_up.to_the_end()
        with started("alone") as alone:
            seconds = alone.to_the_end()
        with started("killed") as killed:
            begun = time.monotonic()
            found = [killed.kill(victim, rng, round(rng.uniform(*gap) * interval)) for victim in victims]
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
    found = {
        "kills": Figure("kills", [len(kills)]),
        "recovery": Figure("s", recoveries),
        "recovery_p95": Figure("s", [sorted(recoveries)[-(-95 * len(recoveries) // 100) - 1]]),
        **{f"goodput_at_{every}": Figure("share", [max(0.0, 1 - mean_cost / every)]) for every in SECONDS},
    }
    for victim in dict.fromkeys(kill.victim for kill in kills):
        own = [kill for kill in kills if kill.victim == victim]
        found[f"{victim}_recovery"] = Figure("s", [kill.recovery for kill in own])
        found[f"{victim}_lost"] = Figure("intervals", [kill.lost / interval for kill in own])
        if victim == "saving":
            found["saves_killed"] = Figure("kills", [sum(kill.half_saved for kill in own)])
    return found


class Killable:
    """A run of `tuili train` in a folder. It is started when something is asked of it, and goes on if it has begun; at
    the end of the block nothing of it is left."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self.folder, self._command = folder, command
        self._errors = folder.with_suffix(".errors")
        self._process: subprocess.Popen[bytes] | None = None
        self._at = 0

    def __enter__(self) -> Killable:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self._kill(self._process, [self._process.pid, *_children(self._process.pid)])

    def to_the_end(self) -> float:
        """Let it end, and return the seconds."""
        begun = time.monotonic()
        if self._started().wait():
            raise self._failed()
        return time.monotonic() - begun

    def kill(self, victim: str, rng: random.Random, steps: int) -> Kill:
        """Let it do so many steps more than before, kill a victim, and wait until it is where it was.

        Raises `InputError` where it is at its end before, has failed, or does not go on.
        """
        launcher = self._started()
        self._until(lambda: self._step() >= self._at + steps)
        if victim == "saving":
            self._until(lambda: any(self._scratch()), SAVE_LOOK_SECONDS)
        workers, session = list(_children(launcher.pid)), self._session()
        self._at, begun, half_saved = self._step(), time.monotonic(), False
        if victim == "worker":
            os.kill(rng.choice(workers), signal.SIGKILL)
        else:
            self._kill(launcher, [launcher.pid, *(workers if victim == "saving" else [])], workers)
            half_saved = any(self._scratch())
            self._started()
        self._until(lambda: self._session() != session)
        first = self._step()
        self._until(lambda: self._step() > first)
        recovery = time.monotonic() - begun
        self._until(lambda: self._step() >= self._at)
        return Kill(victim, recovery, time.monotonic() - begun, max(0, self._at - first), half_saved)

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            resume = ["--resume"] if (self.folder / "run.json").is_file() else []
            command = [sys.executable, "-m", "tuili", *self._command, "--out", str(self.folder), *resume]
            with self._errors.open("ab") as errors:
                self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)
        return self._process

    def _kill(self, launcher: subprocess.Popen[bytes], whom: Sequence[int], others: Sequence[int] = ()) -> None:
        """Kill some processes, the launcher among them, and wait until they and those that end with it are gone."""
        for process in whom:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        launcher.wait()
        until = time.monotonic() + PATIENCE_SECONDS
        while any(map(_is_alive, [*whom, *others])):
            if time.monotonic() > until:
                raise InputError(f"processes of a run whose launcher is gone live on after {PATIENCE_SECONDS:.0f} s")
            time.sleep(LOOK_SECONDS)

    def _until(self, holds: Callable[[], bool], every: float = LOOK_SECONDS) -> None:
        until = time.monotonic() + PATIENCE_SECONDS
        while not holds():
            if self._process is not None and (ended := self._process.poll()) is not None:
                if ended:
                    raise self._failed()
                raise InputError("the run was at its end before all kills: --steps makes it longer")
            if time.monotonic() > until:
                raise InputError(f"the run has not gone on for {PATIENCE_SECONDS:.0f} s, at step {self._step()}")
            time.sleep(every)

    def _failed(self) -> InputError:
        lines = self._errors.read_text(errors="replace").strip().splitlines()
        return InputError(f"the run has failed: {lines[-1] if lines else 'without a word'}")

    def _session(self) -> int | None:
        """What tells one session's log from that of the one before: each begins a new file."""
        log = self.folder / "log.jsonl"
        return log.stat().st_ino if log.is_file() else None

    def _step(self) -> int:
        """The last step that the log tells of, or 0."""
        log = self.folder / "log.jsonl"
        if not log.is_file():
            return 0
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL_BYTES))
            lines = file.read().split(b"\n")[:-1]
        return int(lines[-1].split(b'"step": ')[1].split(b",")[0]) if lines else 0

    def _scratch(self) -> Iterator[Path]:
        return (self.folder / "checkpoints").glob(".step-*")


def _children(parent: int) -> Iterator[int]:
    """The processes that one has started."""
    with suppress(FileNotFoundError, ProcessLookupError):
        yield from map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text().split())


def _is_alive(process: int) -> bool:
    """Whether a process is there, and not merely to be collected."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # nothing of a run is left then, too
    run("recovery", measure)
