"""What the ways in which processes can share a training run cost on the cores of one machine.

`tuili train` runs in each way, in turns and in a new order in each round, always with the same blocks, AdamW and the
same threads: one process alone, two replicas, and two processes of each backend of torch and of DeepSpeed. What each
has made of the settings, such as its number format, is in the record. Figures by way:

- `WAY`: tokens a second of all processes together, after the first steps;
- `WAY_over_alone`: that over what one process alone does in the same round;
- `WAY_sent`: bytes that all processes send in a step, as the system counts them at their sockets;
- `WAY_memory`: the most GB that all processes held together until the first steps were done; memory that they share
  counts once.

What is measured before an interruption is kept.
"""

from __future__ import annotations

import json
import random
import signal
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from benchmarks.harness.cells import Cells
from benchmarks.harness.command import Measured, ratio, run
from benchmarks.harness.record import Figure
from benchmarks.training.killable import Killable
from benchmarks.training.processes import children
from tuili.config import load_recipe
from tuili.errors import InputError
from tuili.train import RUN_FILE, Recipe, read_log

ALONE = "alone"
WAYS = (ALONE, "replicas", "ddp", "fsdp2", "zero3")
FIRST_STEPS = 4
"""Not timed: they compile, find the sizes of buckets, and wait for the first data."""
PLAN = ("precision", "device", "compile", "kernels")
"""What a run records about how its steps are executed."""
LEAST_BLOCKS = 200
"""The fewest blocks of a run whose data a process prepares, as in all longer ones."""
LOOK_SECONDS = 0.2


class Run(NamedTuple):
    """What a run has shown: tokens a second, bytes sent in a step, the most bytes of memory, and its plan."""

    speed: float
    sent: float
    memory: int
    plan: dict[str, Any]


def measure(
    recipe: str = "nano",
    ways: tuple[str, ...] = WAYS,
    processes: int = 2,
    steps: int = 100,
    rounds: int = 5,
    overrides: tuple[str, ...] = ("optimizer.kind=adamw", "optimizer.learning_rate=1e-3"),
) -> Measured:
    """Tokens a second, bytes and GB by way. steps: the steps of a run, of which the first ones are not timed; there
    must be enough for a process to prepare the data, as in any longer run."""
    train = load_recipe(recipe, overrides, Recipe).train
    if steps * train.accumulation < LEAST_BLOCKS:
        least = -(-LEAST_BLOCKS // train.accumulation)
        raise InputError(f"steps {steps}: a thread would prepare the data: give {least} or more")
    if ALONE not in ways:
        raise InputError(f"ways: {ALONE} is what the others are compared with: add it")
    asked = {"recipe": recipe, "processes": processes, "steps": steps, "overrides": list(overrides)}
    cells, found = Cells("backends", asked), {way: list[Run]() for way in ways}
    changes = (*overrides, "train.device=cpu", "train.balance_rounds=0", f"train.steps={steps}")
    changes += (f"checkpoint.interval={steps}", "log.interval=1")
    for number in range(rounds):
        for way in random.Random(number).sample(ways, len(ways)):
            shared = (f"train.dist.backend={way}", "--nproc", str(processes))
            one = partial(trained, ("train", recipe, *changes, *(("train.replicas=1",) if way == ALONE else shared)))
            found[way].append(Run(*cells.get(f"{way}, round {number}", one)))
    plans = {way: runs[-1].plan for way, runs in found.items()}
    return asked | {"ways": list(ways), "rounds": rounds, "plans": plans}, figures(found)


def figures(found: Mapping[str, Sequence[Run]]) -> dict[str, Figure]:
    """The figures of the runs of each way, round by round."""
    speeds = {way: Figure("tokens/s", [run.speed for run in runs]) for way, runs in found.items()}
    return {
        **speeds,
        **{f"{way}_over_{ALONE}": ratio(speed, speeds[ALONE]) for way, speed in speeds.items() if way != ALONE},
        **{f"{way}_sent": Figure("bytes/step", [run.sent for run in runs]) for way, runs in found.items()},
        **{f"{way}_memory": Figure("GB", [run.memory / 1e9 for run in runs]) for way, runs in found.items()},
    }


def trained(command: Sequence[str]) -> Run:
    """One run. Raises `InputError` if it fails."""
    most = 0
    with tempfile.TemporaryDirectory(prefix="backends-") as place, Killable(command, Path(place, "run")) as one:
        launcher = one.start().pid

        def look() -> None:
            nonlocal most
            if one.step() <= FIRST_STEPS:  # a look costs the processes time, but not in the timed steps
                most = max(most, sum(map(_held, _family(launcher))))

        one.to_the_end(look, LOOK_SECONDS)
        log = read_log(one.folder)[FIRST_STEPS:]
        begun = json.loads((one.folder / RUN_FILE).read_bytes())
    spent = [line["seconds"] - before["seconds"] for before, line in pairwise(log)]
    tokens = sum(line["tokens_per_second"] * seconds for line, seconds in zip(log[1:], spent, strict=True))
    sent = median(sum(line["workers"]["sent_bytes"]) if "workers" in line else 0 for line in log)
    return Run(tokens / sum(spent), sent, most, {name: begun[name] for name in PLAN})


def _family(process: int) -> list[int]:
    """A process and all its descendants."""
    return [process, *(member for child in children(process) for member in _family(child))]


def _held(process: int) -> int:
    """Bytes of memory that a process holds; of shared memory, its proportional share."""
    with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return 1024 * int(line.split()[1])
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that SIGTERM, too, leaves nothing of a run behind
    run("backends", measure)
