"""The bytes that a training step really sends, by the form of its gradients and the number of processes.

`tuili train` with DDP runs twice in a network namespace, with more steps the second time. The difference is what those
steps sent, including everything besides gradients; what the start sent cancels out. Figures by form and number:

- `FORM_by_N`: bytes a step, of all processes together;
- `FORM_by_N_less_than_fp32`, `…_fp16`: the share of the bytes that is saved, run by run.

What is measured before an interruption is kept.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks.codec.namespace import NoNamespace, bytes_sent_by, why_failed
from benchmarks.harness.cells import Cells
from benchmarks.harness.command import Measured, run
from benchmarks.harness.record import Figure

FORMS: Mapping[str, str] = {
    "fp32": "form: fp32",
    "fp16": "form: fp16",
    "powersgd": "form: powersgd",
    "8bit": "form: 8bit",
    "4bit": "form: 4bit",
    "3bit": "form: 3bit",
    "3bit_rotated_preconditioned": "form: 3bit, rotate: true, precondition: true",
    "2bit": "form: 2bit",
}
"""The forms, as a recipe has them."""
BASELINES = ("fp32", "fp16")
FIRST_STEPS, FIRST_STEPS_OF_POWERSGD = 2, 12
"""Steps of the shorter run; with PowerSGD they go past its plain first ones."""


def measure(
    recipe: str = "nano",
    steps: int = 10,
    runs: int = 3,
    processes: tuple[int, ...] = (2, 4),
    forms: tuple[str, ...] = tuple(FORMS),
    overrides: tuple[str, ...] = (
        "model.start=nano",
        "optimizer.kind=adamw",
        "train.rows=1",
        "train.precision=fp32",
        "train.compile=off",
    ),
) -> Measured:
    """Bytes and shares by form, of `FORMS`, and number of processes. steps: how many more the second run has.

    By default the model starts from the shipped one, so that no run learns a tokenizer.
    """
    settings: dict[str, Any] = {"recipe": recipe, "steps": steps, "overrides": list(overrides)}
    cells = Cells("traffic", settings)

    def sent(form: str, count: int, number: int) -> float:
        one = partial(sent_by_step, recipe, overrides, steps, form, count)
        return cells.get(f"{form}, {count} processes, run {number}", one)

    try:
        figures = saved(forms, processes, runs, sent)
    except NoNamespace as error:
        raise SystemExit(f"traffic: {error}") from error
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"traffic: a run has failed: {why_failed(error)}") from error
    settings |= {"processes": list(processes), "forms": {form: FORMS[form] for form in forms}}
    return settings | {"goal": "3bit: 0.9 less than fp32, 0.8 less than fp16"}, figures


def saved(
    forms: Sequence[str], processes: Sequence[int], runs: int, sent: Callable[[str, int, int], float]
) -> dict[str, Figure]:
    """The figures, from the bytes that `sent` counts for a form, a number of processes, and the number of a run."""
    figures: dict[str, Figure] = {}
    counted = {(count, form): list[float]() for count in processes for form in forms}
    for number, (count, form) in product(range(runs), counted):  # so that one run is complete if time runs out
        counted[count, form].append(sent(form, count, number))
    for count in processes:
        of_forms = {form: counted[count, form] for form in forms}
        for form, found in of_forms.items():
            figures[f"{form}_by_{count}"] = Figure("bytes/step", found)
            for baseline in BASELINES:
                if baseline in of_forms and baseline != form:
                    shares = [1 - ours / theirs for ours, theirs in zip(found, of_forms[baseline], strict=True)]
                    figures[f"{form}_by_{count}_less_than_{baseline}"] = Figure("share", shares)
    return figures


def sent_by_step(recipe: str, overrides: Sequence[str], steps: int, form: str, processes: int) -> float:
    """The bytes that all processes together send in one step."""
    counted = []
    first = FIRST_STEPS_OF_POWERSGD if form == "powersgd" else FIRST_STEPS
    for until in (first, first + steps):
        with tempfile.TemporaryDirectory() as out:
            changes = (
                *overrides,
                f"train.steps={until}",
                f"train.accumulation={processes}",
                f"train.dist={{backend: ddp, gradients: {{{FORMS[form]}}}}}",
                "train.balance_rounds=0",
                f"checkpoint.interval={until}",
            )
            command = (
                "-m",
                "tuili",
                "train",
                recipe,
                *changes,
                "--nproc",
                str(processes),
                "--out",
                str(Path(out, "run")),
            )
            counted.append(bytes_sent_by([sys.executable, *command]))
    return (counted[1] - counted[0]) / steps


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that SIGTERM, too, leaves nothing of a run behind
    run("traffic", measure)
