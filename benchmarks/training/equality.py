"""How far the losses of a run by the native library are from those of its twin in torch, step by step.

Both start from the same weights and read the same blocks. A third run is the twin's on two threads in place of one: how
far it is from the first tells what the order of sums alone does. `short` documents are problems of the first level,
some to a row; `long` ones those of the fifth, a few to a row of 768 tokens. AdamW by default: Muon amplifies rounding
until two runs of one form are as far apart as two forms (docs/log.md).
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
from rich.console import Console

from benchmarks.harness.command import Measured, run
from benchmarks.harness.record import Figure
from tuili.config import load_recipe
from tuili.train import Recipe, read_log, train

TEXTS = {
    "short": ("data.levels=[1]", "train.rows=2", "train.length=288"),
    "long": ("data.levels=[0,0,0,0,1]", "train.rows=1", "train.length=1024"),
}


def measure(
    recipe: str = "quickstart",
    steps: int = 200,
    precisions: tuple[str, ...] = ("fp32", "bf16"),
    texts: tuple[str, ...] = tuple(TEXTS),
    optimizers: tuple[str, ...] = ("adamw",),
    overrides: tuple[str, ...] = (),
) -> Measured:
    """The largest distance between losses at one step, by number format, length of texts and optimizer."""
    figures: dict[str, Figure] = {}
    for text in texts:
        for precision in precisions:
            for optimizer in optimizers:
                changes = (
                    *(f"train.steps={steps}", f"train.precision={precision}", f"optimizer.kind={optimizer}"),
                    *TEXTS[text],
                    *overrides,
                )
                twin = losses(recipe, (*changes, "train.kernels=torch"))
                label = f"{precision}_{text}_{optimizer}"
                figures[f"{label}_native"] = distance(losses(recipe, (*changes, "train.kernels=native")), twin)
                figures[f"{label}_threads"] = distance(losses(recipe, (*changes, "train.kernels=torch"), 2), twin)
                figures[f"{label}_loss"] = Figure("nats", [twin[-1]])
    return {
        "recipe": recipe,
        "steps": steps,
        "texts": {text: TEXTS[text] for text in texts},
        "overrides": list(overrides),
        "goal": "native <= 1e-3 over 200 steps with adamw",
    }, figures


def losses(recipe: str, overrides: tuple[str, ...], threads: int = 1) -> list[float]:
    """The loss of every step of a new run in one process."""
    fixed = (
        "train.replicas=1",
        "train.accumulation=1",
        "train.device=cpu",
        "log.interval=1",
        "checkpoint.interval=100000",
    )
    settings = load_recipe(recipe, (*overrides, *fixed), Recipe)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            train(settings, Path(scratch), console=Console(quiet=True))
            return [line["loss"] for line in read_log(Path(scratch))]
    finally:
        torch.set_num_threads(before)


def distance(losses: list[float], others: list[float]) -> Figure:
    """The largest difference at any step."""
    return Figure("nats", [max(abs(a - b) for a, b in zip(losses, others, strict=True))])


if __name__ == "__main__":
    run("training_equality", measure)
