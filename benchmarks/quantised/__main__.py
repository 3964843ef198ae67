"""Right answers of a model of Tuili's own in whole numbers: rounded to the nearest, and those of 4 bits with
compensation (PTQ), and after it has learnt them (QAT); and the speed of such numbers in a model of more than 100M
parameters, with random weights.

All answer the same unseen problems as their parent, which computes in the numbers of its folder, at their own depth of
each token. Rounding as it is needs no seed; learning has one a run. What was made or measured before an interruption is
kept: call the benchmark again.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.engine.peers.sizes import SIZES
from benchmarks.harness.cells import RUNS, Cells
from benchmarks.harness.command import Measured, run
from benchmarks.harness.compressed import Curve, costs, recovery
from benchmarks.harness.parents import own_parent, parameters
from benchmarks.harness.planned import PARENTS, Asked, Planned, of_parents
from benchmarks.harness.record import Figure, together
from benchmarks.harness.runs import runs_told
from benchmarks.harness.shares import paired
from benchmarks.quantised.speed import GOALS, SIDES, figures_of, speeds
from benchmarks.quantised.training import COMPENSATED, LONGER, PLANS, WAYS, quantised
from tuili.engine import Numbers
from tuili.store import StoredModel, open_tensors

FOLDER = RUNS / "quantised"
STORED: Mapping[str, Numbers] = {"BF16": "bf16", "F32": "fp32"}
TEST_SET = 12
"""The number of the test set. The rate of learning was chosen on another one, 8."""


def measure(
    models: tuple[str, ...] = PARENTS,
    ways: tuple[str, ...] = (),
    seeds: tuple[int, ...] = (),
    steps: int = 0,
    per_cell: int = 200,
    levels: tuple[int, ...] = (),
    changes: tuple[str, ...] = (),
    size: str = "135m",
    threads: int = 1,
    rounds: int = 5,
    folder: str = str(FOLDER),
) -> Measured:
    """The figures of each way and parent, a run for each seed: of `PLANS`, unless ways, seeds or steps are given; and
    the speeds of `size`, one of those of the benchmark `engine`.

    levels, changes: see `Asked`. rounds: turns of the speeds; 0 leaves them out.
    """
    asked = Asked(per_cell, levels, changes, Path(folder))
    config, figures = of_parents(models, PLANS, WAYS, Planned(ways, seeds, steps), partial(_of_parent, asked))
    timed = dict[str, Figure]()
    if rounds:
        setting = {"size": size, "threads": threads, "rounds": rounds}
        timed = figures_of(Cells("quantised_speed", setting).get("speeds", lambda: speeds(size, threads, rounds)))
    told: dict[str, Any] = {"size": size, "parameters": parameters(SIZES[size].ours().shape), "weights": "random"}
    told |= {"threads": threads, "sides": {name: str(side) for name, side in SIDES.items()}}
    return {**config, "speed": told, "speed_goals": GOALS}, {**figures, **timed}


def _of_parent(asked: Asked, model: str, plan: Planned) -> Measured:
    own = own_parent(model, "quantised", asked, TEST_SET)
    parent, answers, numbers = own.stored, own.answers, _numbers(own.stored)
    of_parent = answers.of(parent.path, numbers)
    found, curves, models = list[dict[str, Figure]](), dict[str, Curve](), list[Path]()
    for seed in plan.seeds:  # so that one seed is whole where hours are cut
        of_seed = dict[str, Figure]()
        for way in plan.ways:
            learnt = quantised(parent, way, plan.steps, seed, own.folder, asked.changes)
            qat = answers.of(learnt)
            models.append(learnt)
            curves[f"{way}_{seed}"] = recovery(learnt)
            of_seed |= costs(way, learnt) | answers.figures(f"{way}_qat", qat, of_parent)
            if way in LONGER:
                continue
            models.append(quantised(parent, way, 0, seed, own.folder, asked.changes, nearest=True))
            ptq = answers.of(models[-1])
            of_seed |= answers.figures(f"{way}_ptq", ptq, of_parent) | paired(f"{way}_qat_over_ptq", qat, ptq)
            if way in COMPENSATED:
                models.append(quantised(parent, way, 0, seed, own.folder, asked.changes))
                of_seed |= answers.figures(f"{way}_compensated", answers.of(models[-1]), of_parent)
        found.append(of_seed)
    return {
        **own.told,
        "ways": {way: [*WAYS[way], *asked.changes] for way in plan.ways},
        "seeds": list(plan.seeds),
        "steps": plan.steps,
        "longer": {way: LONGER[way] for way in plan.ways if way in LONGER},
        "parent_numbers": numbers,
        "goal": "int8 within 0.2 points of the parent, w4a8 within 0.5",
        "runs": runs_told(models),
        "curves": curves,
    }, answers.figures("parent", of_parent, of_parent) | together(found)


def _numbers(parent: StoredModel) -> Numbers:
    """Those of its folder."""
    with open_tensors(parent.path, parent.shape) as tensors:
        return STORED[tensors.kind("model.embed_tokens.weight")]


if __name__ == "__main__":
    run("quantised", measure)
