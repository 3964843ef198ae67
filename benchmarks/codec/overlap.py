"""How much time is saved by sending gradients and updating weights during the backward pass, over a slow link.

`tuili train` with DDP runs as on two machines, in two network namespaces with a throttled link between them. All ways
use the same blocks and start from the same weights; they take turns, in a new order in each round. A way is a form of
gradients and what overlaps with the backward pass: `off`, `communication` or `update`. Buckets are small, which leaves
something to hide; in `off-large` they are as large as DDP makes them by default. Figures by way:

- `WAY`: seconds of a step, without the first ones and those that are traced;
- `WAY_communication_hidden`, `WAY_update_hidden`: hidden shares, from the trace of process 0;
- `WAY_sent`: bytes a step over a whole run, of both processes together, including what its start sends;
- `faster_than_OTHER`: seconds of another way over those of the first one, round by round;
- `link`: megabits a second of single messages of the size of a bucket's gradients in 3 bits, sent after pauses.

What is hidden is measured by the clock: here a process has one core, which encodes and computes in turns.

What is measured before an interruption is kept.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.codec.link import megabits_by_message
from benchmarks.codec.namespace import ADDRESS, NoNamespace, bytes_sent_by_two, why_failed
from benchmarks.harness.cells import Cells
from benchmarks.harness.command import Measured, ratio, run
from benchmarks.harness.record import Figure
from tuili.machine import usable_cores
from tuili.train import read_hidden, read_log

WAYS = ("3bit-update", "3bit-communication", "3bit-off", "3bit-off-large", "fp16-off", "fp16-off-large", "fp16-update")
GRADIENTS = {"3bit": "{form: 3bit, rotate: true, precondition: true}", "fp16": "{form: fp16}"}
FIRST_STEPS = 2
"""The steps of a session that come before the traced ones."""
PROCESSES = 2
MESSAGE_BYTES, MESSAGES = 100_000, 50
"""The size of a 1 MB bucket in 3 bits. A message may take longer than the link alone needs, as when others compute."""
PLACED = f"""
[ $SIDE = 0 ] && interface=first || interface=second
export RANK=$SIDE LOCAL_RANK=0 WORLD_SIZE={PROCESSES} LOCAL_WORLD_SIZE=1
export MASTER_ADDR={ADDRESS} MASTER_PORT=29500 GLOO_SOCKET_IFNAME=$interface
export OMP_NUM_THREADS={max(1, usable_cores() // PROCESSES)}
exec "$@"
"""
"""What torchrun would set on two machines. Each has one process with its share of the cores."""


class Run(NamedTuple):
    """What one run has shown: seconds of a step, bytes of a step, and hidden shares by what is hidden."""

    seconds: float
    sent: float
    hidden: Mapping[str, float]


def measure(
    recipe: str = "nano",
    steps: int = 30,
    traced: int = 3,
    rounds: int = 5,
    megabits: int = 200,
    ways: tuple[str, ...] = WAYS,
    overrides: tuple[str, ...] = (
        "optimizer.kind=adamw",
        "optimizer.learning_rate=2e-3",
        "train.rows=4",
        "train.compile=off",
        "train.dist.bucket_mb=1",
    ),
) -> Measured:
    """Seconds and shares by way. steps: the steps of a run; the first ones and the `traced` ones are not timed."""
    settings: dict[str, Any] = {
        "recipe": recipe,
        "steps": steps,
        "traced": traced,
        "processes": PROCESSES,
        "megabits": megabits,
        "overrides": list(overrides),
    }
    cells, found = Cells("overlap", settings), {way: list[Run]() for way in ways}
    try:
        rates = cells.get("link", partial(link_rates, megabits))
        for number in range(rounds):
            for way in random.Random(number).sample(ways, len(ways)):
                one = partial(trained, way, recipe, overrides, steps, traced, megabits)
                found[way].append(Run(*cells.get(f"{way}, round {number}", one)))
    except NoNamespace as error:
        raise SystemExit(f"overlap: {error}") from error
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"overlap: a run has failed: {why_failed(error)}") from error
    told = figures(found) | {"link": Figure("Mbit/s", rates)}
    goal = "faster_than_3bit-off and -off-large >= 1.2, faster_than_fp16-off and -off-large >= 2"
    return settings | {"gradients": GRADIENTS, "goal": goal}, told


def link_rates(megabits: int) -> list[float]:
    """The rate of each message."""
    with tempfile.TemporaryDirectory() as scratch:
        return megabits_by_message(megabits, MESSAGE_BYTES, MESSAGES, Path(scratch))


def figures(found: Mapping[str, Sequence[Run]]) -> dict[str, Figure]:
    """The figures of the runs of each way."""
    seconds = {way: Figure("s/step", [run.seconds for run in runs]) for way, runs in found.items()}
    first, *others = found
    return {
        **seconds,
        **{f"{way}_sent": Figure("bytes/step", [run.sent for run in runs]) for way, runs in found.items()},
        **{
            f"{way}_{what}_hidden": Figure("share", [run.hidden[what] for run in runs])
            for way, runs in found.items()
            for what in ("communication", "update")
        },
        **{f"faster_than_{other}": ratio(seconds[other], seconds[first]) for other in others},
    }


def trained(way: str, recipe: str, overrides: Sequence[str], steps: int, traced: int, megabits: int) -> Run:
    """One run."""
    form, overlap, *large = way.split("-")
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch, "run")
        changes = (
            f"train.dist={{backend: ddp, overlap: {overlap}, trace: {traced}, gradients: {GRADIENTS[form]}}}",
            f"train.steps={steps}",
            f"train.accumulation={PROCESSES}",
            "train.clip=null",
            "train.balance_rounds=0",
            f"checkpoint.interval={steps}",
            "log.interval=1",
            *overrides,
            *(["train.dist.bucket_mb=null"] if large else []),
        )
        command = (sys.executable, "-m", "tuili", "train", recipe, *changes, "--out", str(out))
        sent = bytes_sent_by_two(["sh", "-c", PLACED, "sh", *command], megabits)
        moments = [line["seconds"] for line in read_log(out)][FIRST_STEPS + traced :]
        shares = read_hidden(out / "trace-0.json").shares
    return Run((moments[-1] - moments[0]) / (len(moments) - 1), sent / steps, shares)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that SIGTERM, too, leaves nothing of a run behind
    run("overlap", measure)
