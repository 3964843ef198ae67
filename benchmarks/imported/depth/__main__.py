"""What leaving early costs an imported model: next-token accuracy in texts that no exit was trained on, by the layers
that run, for both ways of `tuili exits`.

Each way is trained first, which takes some two hours and goes on after an interruption. Then the engine reads the
answers of the test texts place by place, at full depth and at thresholds of confidence. `auto` is the threshold that
training has chosen on validation texts; `as_before` is the lowest one that is at most half a point worse than the model
as it came. At last the model writes, at full depth and at these thresholds in turns.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.harness.cells import Cells
from benchmarks.harness.command import Measured, run
from benchmarks.harness.planned import check_ways
from benchmarks.harness.record import Figure
from benchmarks.imported.depth.reading import Counts, accuracy, between, read
from benchmarks.imported.depth.training import RECIPES, trained, unseen
from benchmarks.imported.depth.writing import over_full
from benchmarks.imported.prompts import worked_questions
from benchmarks.imported.quality.ours import Ours
from benchmarks.imported.source import FOLDER, REAL, identity, imported_model
from tuili.store import read_lineage

GOAL_SHARE, GOAL_POINTS = 0.65, 0.5


def measure(
    model: str = REAL,
    ways: tuple[str, ...] = tuple(RECIPES),
    numbers: Any = "int8",
    texts: int = 120,
    thresholds: tuple[float, ...] = (0.5, 0.6, 0.7, 0.8, 0.86, 0.9, 0.94, 0.97, 0.99),
    prompts: int = 48,
    folder: str = str(FOLDER),
) -> Measured:
    """The figures of each way. model: see `imported_model`; exits of its own do not matter."""
    check_ways(ways, RECIPES)
    before = imported_model(model, Path(folder))
    models = {way: trained(before, way, Path(folder)) for way in ways}
    identities = {way: identity(each) for way, each in models.items()}
    cells = Cells("imported_depth", {"numbers": numbers, "texts": texts, "before": identity(before)} | identities)
    pairs = unseen(before, texts)
    original = read(cells, "before", Ours(before), numbers, pairs, None)
    needed = accuracy(original) - GOAL_POINTS / 100
    figures = {
        "tokens": Figure("tokens", [original["tokens"]]),
        "before_accuracy": Figure("share", [accuracy(original)]),
    }
    for way, each in models.items():
        ours, chosen = Ours(each), each.shape.exit_threshold
        full, auto = (read(cells, way, ours, numbers, pairs, threshold) for threshold in (None, chosen))
        curve = {f"{value:g}": read(cells, way, ours, numbers, pairs, value) for value in sorted(thresholds)}
        at_goal = between([*curve.values(), full], GOAL_SHARE)
        least = next(value for value, counts in [*curve.items(), ("1", full)] if accuracy(counts) >= needed)
        as_before = (curve | {"1": full})[least]
        readings = {"full": full, "auto": auto, "at_goal": at_goal, "as_before": as_before, **curve}
        figures |= costs(way, readings, original)
        figures[f"{way}_as_before_threshold"] = Figure("confidence", [float(least)])
        questions = worked_questions(each.tokenizer, prompts)
        for name, threshold in (("auto", chosen), ("as_before", float(least))):
            figures |= over_full(cells, f"{way}_{name}", ours, each, questions, numbers, threshold)
        figures[f"{way}_hours"] = Figure("hours", [read_lineage(each.path)[-1].hours])
    return {
        "model": model if model == REAL else "given",
        "recipes": {way: list(RECIPES[way]) for way in ways},
        "exits": {way: list(each.shape.exit_layers) for way, each in models.items()},
        "thresholds": {way: each.shape.exit_threshold for way, each in models.items()},
        "numbers": numbers,
        "texts": f"{len(pairs)} answers of GSM8K and MAWPS whose questions no exit was trained on",
        "at_goal": f"{GOAL_SHARE} of the layers: on a line between the two nearest thresholds",
        "goal": f"{GOAL_SHARE} of the layers at {GOAL_POINTS} points less, trained in 2 hours",
    }, figures


def costs(way: str, readings: dict[str, Counts], original: Counts) -> dict[str, Figure]:
    """Accuracy and layers of each reading of a way, and its points of accuracy over full depth, its own and that of the
    model as it came."""
    full, figures = readings["full"], dict[str, Figure]()
    for name, counts in readings.items():
        figures[f"{way}_{name}_accuracy"] = Figure("share", [accuracy(counts)])
        figures[f"{way}_{name}_layers"] = Figure("share", [counts["layers"] / full["layers"]])
        for over, other in (("full", full), ("before", original)):
            points = 100 * (accuracy(counts) - accuracy(other))
            figures[f"{way}_{name}_points_over_{over}"] = Figure("points", [points])
    return figures


if __name__ == "__main__":
    run("imported_depth", measure)
