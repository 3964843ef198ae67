"""What layered attention costs in accuracy: two models trained alike, one with it and one with plain attention.

Both sides of a seed learn from the same blocks in the same order and answer the same unseen problems at full depth. The
runs stand in an ignored folder and go on where they were stopped: call it again. Intervals are of the paired difference
over problems; what else a training run would have given shows in the spread over seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from pathlib import Path
from statistics import fmean, stdev

from benchmarks.command import Measured, run
from benchmarks.record import ROOT, Figure
from tuili.config import load_recipe
from tuili.engine.decode import Decoder
from tuili.eval.accuracy import Z95
from tuili.eval.runner import run as answer
from tuili.eval.runner import unseen_problems
from tuili.model.folder import load_model
from tuili.tasks import Problem
from tuili.train.recipe import Recipe
from tuili.train.run import train

INTERRUPTED = 130
SIDES = {"layered": "true", "dense": "false"}


def measure(
    steps: int = 4000,
    seeds: tuple[int, ...] = (1, 2, 3),
    recipe: str = "nano",
    overrides: tuple[str, ...] = (),
    levels: tuple[int, ...] = (1, 2, 3),
    per_cell: int = 50,
    runs: str = str(ROOT / "runs" / "layered_accuracy"),
) -> Measured:
    """Accuracy of both sides for each seed, and the difference in points with its 95% interval."""
    correct: dict[str, list[list[bool]]] = {side: [] for side in SIDES}
    for seed in seeds:
        for side, layered in SIDES.items():
            settings = (*overrides, f"train.steps={steps}", f"train.seed={seed}")
            plan = load_recipe(recipe, (*settings, f"model.overrides.layered={layered}"), Recipe)
            problems = unseen_problems(plan.data.domain_names, levels, per_cell, seed=0)
            correct[side].append(tested(plan, Path(runs, f"{side}-{seed}-{steps}"), problems))
    gains = [
        [100.0 * (own - other) for own, other in zip(*pair, strict=True)]
        for pair in zip(correct["layered"], correct["dense"], strict=True)
    ]
    low, high = zip(*map(interval, gains), strict=True)
    pooled = interval([gain for seed_gains in gains for gain in seed_gains])
    figures = {f"{side}_accuracy": Figure("share", [fmean(own) for own in correct[side]]) for side in SIDES}
    figures |= {
        "difference": Figure("points", [fmean(seed_gains) for seed_gains in gains]),
        "difference_low95": Figure("points", low),
        "difference_high95": Figure("points", high),
        "difference_all_seeds_low95": Figure("points", [pooled[0]]),
        "difference_all_seeds_high95": Figure("points", [pooled[1]]),
    }
    return {
        "recipe": recipe,
        "overrides": list(overrides),
        "steps": steps,
        "seeds": list(seeds),
        "row_length": plan.train.length,
        "problems": {"levels": list(levels), "per_cell": per_cell, "depth": "full"},
        "goal": "difference >= -0.5",
    }, figures


def tested(plan: Recipe, folder: Path, problems: Sequence[Problem]) -> list[bool]:
    """Train by the plan, as far as that is still to be done, and say which of the problems are answered rightly."""
    finished = train(plan, folder, resume=True).model
    if finished is None:
        raise SystemExit(INTERRUPTED)
    loaded = load_model(finished)
    decoder = Decoder(loaded.model, loaded.tokenizer, loaded.model.config.exit_layers[-1])
    return [trial.correct for trial in answer(decoder, problems)]


def interval(gains: Sequence[float]) -> tuple[float, float]:
    """The 95% interval of a mean, by its normal approximation."""
    margin = Z95 * stdev(gains) / sqrt(len(gains)) if len(gains) > 1 else float("inf")
    return fmean(gains) - margin, fmean(gains) + margin


if __name__ == "__main__":
    run("layered_accuracy", measure)
