"""What saving costs a run: `tuili train` that saves at intervals, against one that saves only at its end, and against
its own steps during which nothing is saved.

Both use the same execution plan, as any run does, and take turns, in a new order in each round: with replicas, and with
as many processes of DDP. The log has a line for each step, which gives the seconds between the second checkpoint and
the last step. These include all that saving takes: the comparison of the processes' bits, the copy, the messages
between processes, and what steps lose to the writer that runs alongside. As much of a write reaches into that period as
out of it. The figures of a backend other than `replicas` begin with its name, as in `ddp_cost`:

- `alone_seconds`, `saving_seconds`: that time; `cost`: how much longer `saving` takes than `alone` in the same round.
  It also reflects the machine, which is slower at some times than at others;
- `cost_within`: how much longer the mean step of a saving run takes than its mean quiet step. Quiet steps come after a
  write and before the next checkpoint. Differences between runs are not included, nor what quiet steps may lose;
- `alone_within`: the same for the runs that do not save, which learn from the same blocks. It is about 0; any
  difference comes from the blocks and the machine, and is in `cost_within`, too;
- `held_up`: the share of a run for which saving held up the steps, for the copy and for a write that is late;
- `write`, `write_steps`: the seconds of each write, and how many steps were made during it;
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
"""What a run records about how its steps are executed."""
HELD_UP = re.compile(r"checkpoints held the training up for ([0-9.]+) s of ")
LOOK_SECONDS = 0.1
QUIET = 5
"""An interval has this many parts; steps in the last two of them are quiet."""


class Saved(NamedTuple):
    """What a run has shown. moments: the seconds of the run at its beginning and after each step. held_up: share of the
    whole run. writes: seconds and steps of each write that was seen during steps."""

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
    system's folder for temporary files."""
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
    """The figures of both kinds of runs, round by round."""
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
    """How much longer the mean step of a run takes than its mean quiet step, as a share of the latter.

    The time of a checkpoint's step ends when its state is collected; that of the next step begins with the copy, and
    the write runs alongside it and those that follow. The last two fifths of an interval are quiet. The steps that
    count begin and end in the middle of quiet ones: half of these come before a checkpoint, and half after its write.
    So a run that steadily gets faster or slower shows no cost.

    Raises `InputError` if a write was not over before the quiet steps. It ends in the step after those that were made
    during it, and old checkpoints are removed in the step after that.
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
    """A run that `cost_within` accepts: one that it refuses must not be kept."""
    found = trained(way, command, steps, interval, folder)
    cost_within(found, interval)
    return found


def trained(way: str, command: Sequence[str], steps: int, interval: int, folder: str) -> Saved:
    """A run. Raises `InputError` if it fails."""
    every = interval if way == "saving" else steps + 1  # the last one is saved after the last step, outside the time
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
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that SIGTERM, too, leaves nothing of a run behind
    run("saving", measure)
