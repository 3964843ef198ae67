"""The bytes that a step of training really sends, by the form of its gradients and the number of processes.

`tuili train` with DDP runs twice in a network namespace, with more steps the second time: the difference is what those
steps sent, with everything beside gradients, and what the start sent cancels out. Figures by form and number:

- `FORM_by_N`: bytes a step, of all processes together;
- `FORM_by_N_less_than_fp32`, `…_fp16`: the share of the bytes that is saved, run by run.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.codec.namespace import NoNamespace, bytes_sent_by
from benchmarks.harness.command import Measured, run
from benchmarks.harness.record import Figure

FORMS = ("fp32", "fp16", "powersgd", "8bit", "4bit", "3bit", "2bit")
BASELINES = ("fp32", "fp16")
FIRST_STEPS = 12
"""Of the shorter run: behind PowerSGD's plain ones."""


def measure(
    recipe: str = "nano",
    steps: int = 10,
    runs: int = 1,
    processes: tuple[int, ...] = (2, 4),
    forms: tuple[str, ...] = FORMS,
    overrides: tuple[str, ...] = ("train.rows=1", "train.precision=fp32", "train.compile=off"),
) -> Measured:
    """Bytes and shares by form and number of processes. steps: those in which the two runs differ."""
    try:
        figures = saved(forms, processes, runs, lambda *which: sent_by_step(recipe, overrides, steps, *which))
    except NoNamespace as error:
        raise SystemExit(f"traffic: {error}") from error
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"traffic: a run has failed: {error.stderr.strip().splitlines()[-1]}") from error
    settings = {"recipe": recipe, "steps": steps, "processes": list(processes), "overrides": list(overrides)}
    return settings | {"goal": "3bit: 0.9 less than fp32, 0.8 less than fp16"}, figures


def saved(
    forms: Sequence[str], processes: Sequence[int], runs: int, sent: Callable[[str, int], float]
) -> dict[str, Figure]:
    """The figures, from the bytes that `sent` counts of a form and a number of processes."""
    figures: dict[str, Figure] = {}
    for count in processes:
        of_forms = {form: [sent(form, count) for _ in range(runs)] for form in forms}
        for form, found in of_forms.items():
            figures[f"{form}_by_{count}"] = Figure("bytes/step", found)
            for baseline in BASELINES:
                if baseline in of_forms and baseline != form:
                    shares = [1 - ours / theirs for ours, theirs in zip(found, of_forms[baseline], strict=True)]
                    figures[f"{form}_by_{count}_less_than_{baseline}"] = Figure("share", shares)
    return figures


def sent_by_step(recipe: str, overrides: Sequence[str], steps: int, form: str, processes: int) -> float:
    """The bytes of one step, of all processes together."""
    counted = []
    for until in (FIRST_STEPS, FIRST_STEPS + steps):
        with tempfile.TemporaryDirectory() as out:
            changes = (
                *overrides,
                f"train.steps={until}",
                f"train.accumulation={processes}",
                f"train.dist={{backend: ddp, gradients: {{form: {form}}}}}",
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
    run("traffic", measure)
