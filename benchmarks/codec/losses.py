"""What packed gradients do to the training loss: each form against fp32, on the same blocks and from the same weights;
and what packing the weights that FSDP2 gathers does to FSDP2.

`tuili train` with AdamW, and with DDP for packed gradients, runs once for each form and seed. Figures by form:

- `FORM_loss`: the mean cross-entropy of the training's own blocks over the last quarter of the steps, seed by seed;
- `FORM_over_fp32`: `FORM_loss` over `fp32_loss` of the same seed;
- `FORM_over_fp32_at_most`: the upper end of the 95% confidence interval of the geometric mean of these ratios, by a
  paired t-test of their logarithms;
- `FORM_sent`: bytes that all processes together send in a step, as the system counts them at their sockets: the median,
  because the first steps of PowerSGD are plain;
- `FORM_equal`: steps after which all processes still had the same bits. The training compares sums of them at each
  checkpoint, and a run in which they differ fails;
- `FORM_equal_by_N`: the same for a shorter run of more processes, for some of the forms and with the first seed;
- `FORM_seconds`: the seconds of the steps of a run, without its start.

`fsdp2` and `fsdp2_8bit_weights` are runs with FSDP2; what the second one loses is reported as `_over_fsdp2`.

Each seed has its own tokenizer, so that losses of two seeds cannot be compared.

`curves` in the record has, for each form, points of the megabytes sent and the loss, as means over the seeds. What is
measured before an interruption is kept.
"""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import product
from math import exp, log, sqrt
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any, NamedTuple

from benchmarks.harness.cells import Cells
from benchmarks.harness.command import Measured, ratio, run
from benchmarks.harness.record import Figure
from benchmarks.harness.runs import tuili
from tuili.train import read_log

FORMS: Mapping[str, str] = {
    **{
        form: f"backend: ddp, overlap: off, gradients: {{{gradients}}}"
        for form, gradients in {
            "fp32": "form: fp32",
            "fp16": "form: fp16",
            "powersgd_rank_4": "form: powersgd, rank: 4, start: 30",
            "4bit": "form: 4bit",
            "3bit": "form: 3bit",
            "3bit_rotated": "form: 3bit, rotate: true",
            "3bit_kept": "form: 3bit, keep_errors: 0.8, reset_errors: 100",
            "3bit_rotated_preconditioned": "form: 3bit, rotate: true, precondition: true",
            "2bit_rotated_preconditioned": "form: 2bit, rotate: true, precondition: true",
        }.items()
    },
    "fsdp2": "backend: fsdp2",
    "fsdp2_8bit_weights": "backend: fsdp2, weights: 8bit",
}
"""The forms, as a recipe has them in `train.dist`. `kept` ones add the average of past rounding errors, which restarts
three times, as often as in a recipe's thousands of steps. PowerSGD begins after the warm-up, as torch advises."""
CLAIMED = "3bit_rotated_preconditioned"
"""The form that the goal is about, chosen by two seeds that are not among these."""
BESIDE = {"fsdp2_8bit_weights": "fsdp2"}
"""What a form is compared with, if not with the first one."""
FORMS_OF_MORE = ("3bit", CLAIMED)
"""The forms that are tried with more processes."""
INTERVAL = 100
"""Steps between two checkpoints, and so between two comparisons of the processes."""
POINTS = 30
"""Points of a curve, each the mean of the same number of steps."""
T_QUANTILES = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}
"""The 97.5% quantile of Student's distribution, by the number of runs; it is smaller for more runs."""
Point = tuple[float, float]


class Trained(NamedTuple):
    """What a run has shown: for each step, the bytes that it sent and its cross-entropy in nats a token; the steps
    after which the processes had the same bits; and the seconds of all steps."""

    line: Sequence[Point]
    equal: int
    seconds: float


def measure(
    recipe: str = "quickstart",
    steps: int = 300,
    seeds: tuple[int, ...] = (1, 2, 3, 4, 5),
    forms: tuple[str, ...] = tuple(FORMS),
    processes: int = 2,
    more: tuple[int, ...] = (4,),
    steps_of_more: int = 200,
    overrides: tuple[str, ...] = (
        "optimizer.kind=adamw",
        "optimizer.learning_rate=2e-3",
        "train.precision=fp32",
    ),
) -> Measured:
    """Losses and bytes by form, with a run for each seed. forms: of `FORMS`, with the first one as baseline.

    more: numbers of processes that are tried for fewer steps, to see whether they stay equal.
    """
    asked = {"recipe": recipe, "steps": steps, "processes": processes, "overrides": list(overrides)}
    cells, runs = Cells("gradient_losses", asked), dict[str, list[Trained]]()

    def of_cell(form: str, seed: int, count: int, until: int) -> Trained:
        changes = (f"train.steps={until}", f"train.seed={seed}", f"train.accumulation={count}", *overrides)
        given = (*changes, f"train.dist={{{FORMS[form]}}}", "--nproc", str(count))
        key = f"{form}, seed {seed}, {count} processes, {until} steps"
        return Trained(*cells.get(key, partial(trained, recipe, given)))

    for seed in seeds:  # so that one seed is complete if time runs out
        for form in forms:
            runs.setdefault(form, []).append(of_cell(form, seed, processes, steps))
    lines = {form: [run.line for run in of_seeds] for form, of_seeds in runs.items()}
    whole = {form: of_seeds for form, of_seeds in runs.items() if not form.startswith("fsdp2")}  # in each process
    equal = {f"{form}_equal": [run.equal for run in of_seeds] for form, of_seeds in whole.items()}
    for form, count in product([form for form in FORMS_OF_MORE if form in forms], more):
        equal[f"{form}_equal_by_{count}"] = [of_cell(form, seeds[0], count, steps_of_more).equal]
    seconds = {f"{form}_seconds": Figure("s", [run.seconds for run in of_seeds]) for form, of_seeds in runs.items()}
    config: dict[str, Any] = {"forms": {form: FORMS[form] for form in forms}, "seeds": list(seeds)}
    config |= {"more": list(more), "steps_of_more": steps_of_more, "compared_every": INTERVAL}
    config["curves"] = {form: curve(of_seeds) for form, of_seeds in lines.items()}
    goal = f"{CLAIMED}_over_fp32_at_most <= 1.01, equal after 200 steps"
    return asked | config | {"goal": goal}, figures(lines) | {
        key: Figure("steps", of_runs) for key, of_runs in equal.items()
    } | seconds


def figures(lines: Mapping[str, Sequence[Sequence[Point]]]) -> dict[str, Figure]:
    """The figures of each form's runs. A run has a point for each step: the bytes that it sent, and its loss."""
    losses = {
        form: Figure("nats a token", [mean(loss for _, loss in line[-(len(line) // 4) :]) for line in of_seeds])
        for form, of_seeds in lines.items()
    }
    first, *others = losses
    beside = {form: BESIDE.get(form, first) for form in others}
    ratios = {
        f"{form}_over_{other}": ratio(losses[form], losses[other]) for form, other in beside.items() if other in losses
    }
    return {
        **{f"{form}_loss": figure for form, figure in losses.items()},
        **ratios,
        **{f"{key}_at_most": Figure("x", [at_most(of.runs)]) for key, of in ratios.items() if len(of.runs) > 1},
        **{
            f"{form}_sent": Figure("bytes/step", [median(sent for sent, _ in line) for line in of_seeds])
            for form, of_seeds in lines.items()
        },
    }


def at_most(ratios: Sequence[float]) -> float:
    """The upper end of the 95% interval of the geometric mean of ratios, which are assumed to be lognormal."""
    logs = [log(ratio) for ratio in ratios]
    quantile = T_QUANTILES[min(len(logs), max(T_QUANTILES))]
    return exp(mean(logs) + quantile * stdev(logs) / sqrt(len(logs)))


def curve(of_seeds: Sequence[Sequence[Point]]) -> list[Point]:
    """The megabytes sent so far and the loss, each a mean over the seeds and over a thirtieth of the steps."""
    steps = len(of_seeds[0])
    size = max(1, steps // POINTS)
    sent = [mean(line[step][0] for line in of_seeds) for step in range(steps)]
    points = list[Point]()
    for end in range(size, steps + 1, size):
        loss = mean(line[step][1] for line in of_seeds for step in range(end - size, end))
        points.append((round(sum(sent[:end]) / 1e6, 3), round(loss, 5)))
    return points


def trained(recipe: str, changes: Sequence[str], interval: int = INTERVAL) -> Trained:
    """A run. Its processes are compared after each interval."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch, "run")
        saving = f"checkpoint.interval={interval}"
        tuili("train", recipe, "train.balance_rounds=0", saving, "log.interval=1", *changes, "--out", str(out))
        logged = read_log(out)
        line = [(sum(of_step["workers"]["sent_bytes"]), of_step["cross_entropy"]) for of_step in logged]
        saved = [int(path.name.removeprefix("step-")) for path in (out / "checkpoints").glob("step-*")]
        return Trained(line, max((step for step in saved if step % interval == 0), default=0), logged[-1]["seconds"])


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that SIGTERM, too, leaves nothing of a run behind
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    run("gradient_losses", measure)
