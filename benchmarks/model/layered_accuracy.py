"""What layered attention costs in accuracy: models trained alike, with it and with dense attention.

All sides of a seed learn from the same blocks in order and answer the same unseen problems at full depth. A text that
the window and the chosen units cover is read whole, and texts of tasks are short. Beside the `layered` side, which has
the window and units of the shipped sizes, stands therefore a `tight` side, whose window and units leave most of a text
out. The share of the keys that each side reads is measured. Runs stand in an ignored folder; a benchmark that was
stopped goes on when it is called again. Intervals are of the paired difference over problems, for one seed and for all
seeds together. The spread over seeds shows how far training runs differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from unittest.mock import patch

import torch

from benchmarks.harness.command import Measured, run
from benchmarks.harness.record import ROOT, Figure
from benchmarks.model.attention_reads import DECODED_TOKENS, read_shares
from tuili.config import load_recipe
from tuili.engine import load_decoder
from tuili.eval import answer_problems, paired_difference
from tuili.model import LoadedModel, load_model
from tuili.provenance import code_hash
from tuili.steps import render_response
from tuili.tasks import Problem, unseen_problems
from tuili.train import Recipe, train

INTERRUPTED_STATUS = 130
"""The exit status of a training run that was stopped."""
SIDES = {
    "dense": ("model.overrides.layered=false",),
    "layered": (),
    "tight": ("model.overrides.window=8", "model.overrides.top_units=2"),
}


def measure(
    steps: int = 1500,
    seeds: tuple[int, ...] = (1, 2),
    recipe: str = "quickstart",
    overrides: tuple[str, ...] = (),
    levels: tuple[int, ...] = (1,),
    per_cell: int = 1000,
    sides: tuple[str, ...] = ("layered", "tight"),
    precision: str = "bf16",
    runs: str = str(ROOT / "runs" / "layered_accuracy"),
) -> Measured:
    """For each seed the accuracy of each side, its difference in points to dense attention, and what it reads."""
    figures: dict[str, list[float]] = {}
    all_correct: dict[str, list[bool]] = {side: [] for side in ("dense", *sides)}
    folder = Path(runs, code_hash())
    for seed in seeds:
        correct: dict[str, list[bool]] = {}
        for side in ("dense", *sides):
            settings = (
                *overrides,
                f"train.steps={steps}",
                f"train.seed={seed}",
                f"train.precision={precision}",
                *SIDES[side],
            )
            plan = load_recipe(recipe, settings, Recipe)
            problems = unseen_problems(plan.data.domain_names, levels, per_cell, seed=0)
            loaded = trained(plan, folder / f"{side}-{seed}-{steps}")
            decoder = load_decoder(loaded, loaded.model.config.exit_layers[-1], numbers="fp32")
            correct[side] = [response.correct for response in answer_problems(decoder, problems)]
            all_correct[side] += correct[side]
            values = {"accuracy": fmean(correct[side])}
            if side != "dense":
                values |= in_points(correct[side], correct["dense"])
                values["reads"] = mean_reads(loaded, problems[:: max(1, len(problems) // 64)])
            for name, value in values.items():
                figures.setdefault(f"{side}_{name}", []).append(value)
    for side in sides:
        for name, value in in_points(all_correct[side], all_correct["dense"]).items():
            figures[f"{side}_all_{name}"] = [value]
    units = {"accuracy": "share", "reads": "share of dense"}
    return {
        "recipe": recipe,
        "overrides": list(overrides),
        "sides": {side: list(SIDES[side]) for side in ("dense", *sides)},
        "steps": steps,
        "seeds": list(seeds),
        "precision": precision,
        "problems": {"levels": list(levels), "per_cell": per_cell, "depth": "full"},
        "goal": "all_difference >= -0.5",
    }, {key: Figure(units.get(key.rpartition("_")[2], "points"), values) for key, values in figures.items()}


def in_points(correct: Sequence[bool], dense: Sequence[bool]) -> dict[str, float]:
    """The difference of accuracy over the same problems and its 95% interval, in points."""
    points, (low, high) = paired_difference(correct, dense)
    return {"difference": 100 * points, "low95": 100 * low, "high95": 100 * high}


def trained(plan: Recipe, folder: Path) -> LoadedModel:
    """The model of a plan, whose run in `folder` is begun or resumed. Raises `SystemExit` where the run is stopped."""
    finished = train(plan, folder, resume=True).model
    if finished is None:
        raise SystemExit(INTERRUPTED_STATUS)
    return load_model(finished)


def mean_reads(loaded: LoadedModel, problems: Sequence[Problem]) -> float:
    """The mean share of keys that the last tokens of right responses to these problems read."""
    texts = [(problem.prompt, render_response(problem.steps, problem.answer)) for problem in problems]
    rows = [loaded.tokenizer.encode_example(prompt, response)[0] for prompt, response in texts]
    with patch.object(loaded.model.model, "sparse_above", 0):
        shares = [read_shares(loaded.model, torch.tensor(row))[..., 0] for row in rows if len(row) > DECODED_TOKENS]
    return fmean(float(share.mean()) for share in shares)


if __name__ == "__main__":
    run("layered_accuracy", measure)
