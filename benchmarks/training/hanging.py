"""How soon a run of several processes notices that one of them hangs, by the clock and with the default timeout.

One process is stopped a random number of steps after the step at which the last one was stopped, and at a random moment
in a step: process 0, another one, or the process that prepares the data. SIGSTOP stops the whole process. For victims
such as `first_thread`, only the training thread is stopped, as a debugger does it: the other threads show that the
process lives, as if it waited for a lock forever. The launcher then ends the hanging process, and the run resumes. With
replicas, process 0 is the command itself, which nothing ends: it is stopped, and continues when the others have ended.
Figures, by backend and by who was stopped, as in `ddp_first_told`:

- `told`: seconds until a line reports that a process does not answer;
- `ended`: seconds until all other training processes have ended, if they do: process 0 of replicas continues;
- `recovery`: seconds until the first step after that.

What was measured before an interruption is kept, backend by backend.
"""

from __future__ import annotations

import os
import random
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

from benchmarks.harness.cells import Cells
from benchmarks.harness.command import Measured, run
from benchmarks.harness.record import Figure
from benchmarks.training.held_thread import held_thread
from benchmarks.training.killable import Killable
from benchmarks.training.processes import is_alive, kill, workers
from tuili.train import read_log

RESTARTS = 1000
NOTICED = ("does not answer", "has not answered", "sign of life")
"""What a line that reports the hang contains."""
VICTIMS = {
    "ddp": ("first", "other", "preparation", "first_thread", "other_thread"),
    "fsdp2": ("first", "other", "first_thread", "other_thread"),
    "zero3": ("first", "other", "first_thread", "other_thread"),
    "replicas": ("first", "other", "preparation", "first_thread", "other_thread"),
}
THREAD = "_thread"
"""The suffix of victims of which only a thread is stopped."""
PREPARATION = b"tuili.train.feed.preparation"
"""The name of the module that runs as the process that prepares the data."""


def measure(
    recipe: str = "quickstart",
    backends: tuple[str, ...] = tuple(VICTIMS),
    times: int = 2,
    steps: int = 3000,
    interval: int = 50,
    processes: int = 2,
    overrides: tuple[str, ...] = ("optimizer.kind=adamw", "optimizer.learning_rate=2e-3"),
    seed: int = 1,
) -> Measured:
    """Seconds. times: how often each is stopped. interval: steps between checkpoints, and at most between stops."""
    asked = {"recipe": recipe, "times": times, "steps": steps, "interval": interval, "processes": processes}
    asked |= {"overrides": list(overrides), "seed": seed}
    cells, found = Cells("hanging", asked), dict[str, Figure]()
    for backend in backends:
        command = ["train", recipe, *overrides, f"train.dist.backend={backend}", f"train.steps={steps}"]
        command += [f"checkpoint.interval={interval}", "log.interval=1"]
        command += ["--nproc", str(processes), "--restarts", str(RESTARTS)]
        stops = cells.get(backend, partial(_stopped, command, VICTIMS[backend], times, interval, seed))
        for victim in VICTIMS[backend]:
            for name in ("told", "ended", "recovery"):
                if seconds := [of_stop[name] for stopped, of_stop in stops if stopped == victim and name in of_stop]:
                    found[f"{backend}_{victim}_{name}"] = Figure("s", seconds)
    return asked | {"backends": list(backends), "goal": "told and ended <= 30 s"}, found


def _stopped(
    command: Sequence[str], victims: Sequence[str], times: int, interval: int, seed: int
) -> list[tuple[str, dict[str, float]]]:
    """Who was stopped, and the seconds that it took; does not wait for the rest of the run."""
    rng, stops, at = random.Random(seed), list[tuple[str, dict[str, float]]](), 0
    order = [victim for victim in victims for _ in range(times)]
    rng.shuffle(order)
    with tempfile.TemporaryDirectory(prefix="hanging-") as place, Killable(command, Path(place, "run")) as one:
        one.start()
        for victim in order:
            at += rng.randint(10, interval)  # for the first steps of a session, processes wait in another way
            stops.append((victim, _stop(one, victim, at, rng)))
            at = one.step()
    return stops


def _stop(one: Killable, victim: str, at: int, rng: random.Random) -> dict[str, float]:
    """Let a process hang after a step, and wait until the run resumes."""
    one.until(lambda: one.step() >= at)
    time.sleep(rng.uniform(0, _step_seconds(one)))
    of_torch = {rank: process for process in workers(one.start().pid) if (rank := _rank(process)) is not None}
    command, by_thread = one.start().pid, victim.endswith(THREAD)
    who = _victim(command, of_torch, victim.removesuffix(THREAD))
    others = [process for process in of_torch.values() if process != who]
    if who == command:
        others = [process for process in workers(command) if not _prepares(process)]
    lines, session = len(one.said()), one.session()
    with ExitStack() as opened:
        opened.enter_context((held_thread if by_thread else _stopped_process)(who))
        begun = time.monotonic()
        try:
            return _measured(one, lines, session, begun, others, opened.close if who == command else lambda: None)
        except BaseException:
            kill(who)  # it would stay for ever: nobody can ask it to end
            raise


@contextmanager
def _stopped_process(process: int) -> Iterator[None]:
    """Stop a process. It continues after the `with` block, if it has not ended."""
    os.kill(process, signal.SIGSTOP)
    yield
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGCONT)


def _measured(
    one: Killable,
    lines: int,
    session: int,
    begun: float,
    others: Sequence[int],
    ended: Callable[[], None],
) -> dict[str, float]:
    """Seconds since a process was stopped. lines, session: how many lines were printed, and sessions begun, before
    that. others: the processes that should end. ended: called when they have ended."""
    found = dict[str, float]()

    def since(name: str, holds: Callable[[], bool]) -> None:
        one.until(holds)
        found[name] = time.monotonic() - begun

    since("told", lambda: any(word in line for line in one.said()[lines:] for word in NOTICED))
    if others:
        since("ended", lambda: not any(map(is_alive, others)))
        ended()
    one.until(lambda: one.session() != session)
    first = max(one.saved(), default=0)
    since("recovery", lambda: one.step() > first)
    return found


def _victim(launcher: int, of_torch: Mapping[int, int], victim: str) -> int:
    """A process of a run. of_torch: the processes that the launcher started for torch, by rank; empty for replicas."""
    if not of_torch and victim == "first":
        return launcher
    if of_torch and victim != "preparation":
        return of_torch[0 if victim == "first" else max(of_torch)]
    of_first = workers(of_torch.get(0, launcher))
    return next(process for process in of_first if _prepares(process) == (victim == "preparation"))


def _prepares(process: int) -> bool:
    return PREPARATION in Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")


def _rank(process: int) -> int | None:
    """The rank of a process that the launcher started for torch; None for any other process."""
    environment = Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
    ranks = [entry.removeprefix(b"RANK=") for entry in environment if entry.startswith(b"RANK=")]
    return int(ranks[0]) if ranks else None


def _step_seconds(one: Killable) -> float:
    moments = [line["seconds"] for line in read_log(one.folder)][-10:]
    return float(moments[-1] - moments[0]) / max(1, len(moments) - 1)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that SIGTERM, too, leaves nothing of a run behind
    run("hanging", measure)
