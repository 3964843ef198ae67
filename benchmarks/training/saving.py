"""What saving costs a run: `tuili train` that saves every so many steps, over one that saves at its end alone, and over
those of its own steps beside which nothing is saved.

Both take their steps by the same execution plan, as any run does, in turns and in an order of their own in each round:
by replicas, and by as many processes of DDP. The log has a line for each step, and tells the seconds between the second
checkpoint and the last step. So all that saving takes is in them: the comparison of the processes' bits, the copy, what
processes tell one another, and what steps lose to the writer beside them. In and out of that time there goes as much of
a write. Figures, those of another backend than `replicas` with its name before theirs, as `ddp_cost`:

- `alone_seconds`, `saving_seconds`: that time; `cost`: what `saving` takes more than `alone` of the same round. It
  tells of the machine, too, which is slower at one time than at another;
- `cost_within`: what the mean step of a run that saves takes more than the mean one of its quiet steps, which come
  behind a write and before the next checkpoint. No difference between runs is in it, nor what quiet steps may lose;
- `alone_within`: the same of the runs that do not save, which learn from the same blocks. It is about 0; what it is
  beside comes from the blocks and the machine, and is in `cost_within`, too;
- `held_up`: the share of a run in which saving has held up the steps, for the copy and for a write that is late;
- `write`, `write_steps`: the seconds of each write, and how many steps were made beside it;
- `parameters`, and `checkpoint`: the bytes on the disk.

What is measured before an interruption is kept.
"""

from __future__ import annotations

import json
import random
import re
import signal
import tempfile
from collections.abc import Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from benchmarks.harness.cells import Cells
from benchmarks.harness.command import Measured, ratio, run
from benchmarks.harness.record import Figure, file_system
from benchmarks.training.killable import CHECKPOINT, Killable, Writes
from tuili.config import load_recipe
from tuili.errors import InputError
from tuili.model import TuiliConfig, count_parameters
from tuili.train import RUN_FILE, Recipe, read_log

WAYS = ("alone", "saving")
SIZE = "model.overrides={hidden_size: 320, intermediate_size: 960, moe_intermediate_size: 144}"
"""About 25M parameters."""
PLAN = ("precision", "replicas", "device", "compile", "kernels")
"""What a run records of how its steps are executed."""
HELD_UP = re.compile(r"checkpoints held the training up for ([0-9.]+) s of ")
LOOK_SECONDS = 0.1
QUIET = 5
"""Steps of an interval are quiet in the last two of so many parts of it."""


class Saved(NamedTuple):
    """What a run has shown. moments: the seconds of the run at its begin and behind each step. held_up: share of the
    whole run. writes: seconds and steps of each that was seen beside steps."""

    moments: Sequence[float]
    held_up: float
    writes: Sequence[tuple[float, int]]
    plan: dict[str, Any]
    parameters: int
    checkpoint: int


def measure(
    recipe: str = "base",
    backends: tuple[str, ...] = ("replicas", "ddp"),
    processes: int = 2,
    steps: int = 120,
    interval: int = 20,
    rounds: int = 7,
    overrides: tuple[str, ...] = (SIZE, "train.accumulation=2"),
    folder: str = "",
) -> Measured:
    """Seconds and shares. interval: steps between two checkpoints. folder: on the disk to measure, by default the
    system's own for scratch files."""
    if steps % interval or steps < 3 * interval:
        raise InputError(f"steps {steps}: take a multiple of the interval, {interval}, and at least three of it")
    if not interval // QUIET:
        raise InputError(f"interval {interval}: take at least {QUIET}, so that some steps of it are quiet")
    changes = (*overrides, "train.device=cpu", f"train.steps={steps}", "log.interval=1")
    train = load_recipe(recipe, changes, Recipe).train
    asked = {"recipe": recipe, "processes": processes, "steps": steps, "interval": interval}
    asked |= {"overrides": list(overrides), "file_system": file_system(Path(folder or tempfile.gettempdir()))}
    cells = Cells("saving", asked)
    told: dict[str, Any] = {"tokens_a_step": train.rows * train.length * train.accumulation}
    found = dict[str, Figure]()
    for backend in backends:
        command = ("train", recipe, *changes, f"train.dist.backend={backend}", "--nproc", str(processes))
        runs = {way: list[Saved]() for way in WAYS}
        for number in range(rounds):
            for way in random.Random(number).sample(WAYS, len(WAYS)):
                one = partial(_checked, way, command, steps, interval, folder)
                runs[way].append(Saved(*cells.get(f"{backend}, {way}, round {number}", one)))
        prefix, own = "" if backend == "replicas" else f"{backend}_", figures(runs["alone"], runs["saving"], interval)
        told[f"{prefix}plan"] = runs["saving"][-1].plan
        found |= {f"{prefix}{key}": figure for key, figure in own.items()}
    return asked | told | {"backends": list(backends), "rounds": rounds, "goal": "cost and cost_within <= 0.02"}, found


def figures(alone: Sequence[Saved], saving: Sequence[Saved], interval: int) -> dict[str, Figure]:
    """Those of the runs of both ways, round by round."""
    seconds, without = (
        Figure("s", [one.moments[-1] - one.moments[2 * interval] for one in runs]) for runs in (saving, alone)
    )
    writes = list(chain.from_iterable(one.writes for one in saving))
    return {
        "alone_seconds": without,
        "saving_seconds": seconds,
        "cost": Figure("share", [cost - 1 for cost in ratio(seconds, without).runs]),
        "cost_within": Figure("share", [cost_within(one, interval) for one in saving]),
        "alone_within": Figure("share", [cost_within(one, interval) for one in alone]),
        "held_up": Figure("share", [one.held_up for one in saving]),
        **({"write": Figure("s", [took for took, _ in writes])} if writes else {}),
        **({"write_steps": Figure("steps", [made for _, made in writes])} if writes else {}),
        "parameters": Figure("parameters", [saving[0].parameters]),
        "checkpoint": Figure("bytes", [saving[0].checkpoint]),
    }


def cost_within(one: Saved, interval: int) -> float:
    """What the mean step of a run takes more than the mean quiet one, as a share of that.

    The time of a checkpoint's step ends when its state is collected; that of the next one begins with the copy, and the
    write is beside it and those that follow. The last two fifths of an interval are quiet. The steps that count begin
    and end in the middle of quiet ones: half of these come before a checkpoint, and half behind its write. So a run
    that steadily gets faster or slower shows no cost.

    Raises `InputError` where a write was not over by then. It ends in the step behind those that were made beside it,
    and old checkpoints are removed in the one behind that.
    """
    half, steps = interval // QUIET, len(one.moments) - 1
    quiet = range(interval - 2 * half, interval)
    if (longest := max((made for _, made in one.writes), default=0)) + 2 >= quiet.start:
        raise InputError(
            f"interval {interval}: a write was made beside {longest} steps, and those from {quiet.start} on behind a "
            "checkpoint are to be quiet: take a longer interval, or a --folder on a faster disk"
        )
    took = {step: one.moments[step] - one.moments[step - 1] for step in range(2 * interval - half, steps - half)}
    return fmean(took.values()) / fmean(took[step] for step in took if step % interval in quiet) - 1


def _checked(way: str, command: Sequence[str], steps: int, interval: int, folder: str) -> Saved:
    """A run that `cost_within` does not refuse: another one would not be kept."""
    found = trained(way, command, steps, interval, folder)
    cost_within(found, interval)
    return found


def trained(way: str, command: Sequence[str], steps: int, interval: int, folder: str) -> Saved:
    """A run. Raises `InputError` where it fails."""
    every = interval if way == "saving" else steps + 1  # the last one is saved behind the last step, outside the time
    with (
        tempfile.TemporaryDirectory(prefix="saving-", dir=folder or None) as place,
        Killable((*command, f"checkpoint.interval={every}"), Path(place, "run")) as one,
    ):
        writes = Writes(one)
        one.to_the_end(writes.look, LOOK_SECONDS)
        moments = {line["step"]: line["seconds"] for line in read_log(one.folder)}
        (held_up,) = (float(told[1]) for line in one.said() if (told := HELD_UP.search(line)))
        begun = json.loads((one.folder / RUN_FILE).read_bytes())
        newest = max((one.folder / "checkpoints").glob(f"{CHECKPOINT}*"))
        return Saved(
            [0.0, *(moments[step] for step in range(1, steps + 1))],
            held_up / moments[steps],
            [(write.seconds, write.steps) for write in writes.seen if write.step < steps],
            {name: begun[name] for name in PLAN},
            count_parameters(TuiliConfig.from_pretrained(one.folder / "model")).total,
            sum(file.stat().st_size for file in newest.iterdir()),
        )


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # nothing of a run is left then, too
    run("saving", measure)
