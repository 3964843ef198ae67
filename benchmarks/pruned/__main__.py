"""Right answers of a model of Tuili's own before and after pruning: neurons by reconstruction, activation and
magnitude, and experts by REAP against frequency, as they were cut and behind recovery.

All models answer the same unseen problems as their parent, at their own depth of each token: those of the domains and
levels that it was trained on at last. As they were cut, models are measured with the first seed alone. The divergences
on the way are those of the recovery's log, over the tokens that were read. What was made or measured before an
interruption is kept: call the benchmark again.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from benchmarks.harness.cells import RUNS
from benchmarks.harness.command import Measured, run
from benchmarks.harness.compressed import Curve, costs, recovery
from benchmarks.harness.parents import own_parent
from benchmarks.harness.planned import PARENTS, Asked, Planned, of_parents
from benchmarks.harness.record import Figure, together
from benchmarks.harness.runs import runs_told
from benchmarks.harness.shares import paired
from benchmarks.pruned.training import LONGER, PLANS, WAYS, pruned

FOLDER = RUNS / "pruned"
COMPARED = {"reconstruction": "activation", "activation": "magnitude", "reap": "frequency"}
"""What each way is compared with."""
TEST_SET = 7
"""The number of the test set: others choose between models on those with lower numbers."""


def measure(
    models: tuple[str, ...] = PARENTS,
    ways: tuple[str, ...] = (),
    seeds: tuple[int, ...] = (),
    steps: int = 0,
    per_cell: int = 200,
    levels: tuple[int, ...] = (),
    changes: tuple[str, ...] = (),
    folder: str = str(FOLDER),
) -> Measured:
    """The figures of each way and parent, a run for each seed: of `PLANS`, unless ways, seeds or steps are given.

    levels, changes: see `Asked`.
    """
    asked = Asked(per_cell, levels, changes, Path(folder))
    return of_parents(models, PLANS, WAYS, Planned(ways, seeds, steps), partial(_of_parent, asked))


def _of_parent(asked: Asked, model: str, plan: Planned) -> Measured:
    own = own_parent(model, "pruned", asked, TEST_SET)
    parent, answers = own.stored, own.answers
    of_parent, once = answers.of(parent.path), dict[str, Figure]()
    found, curves, models = list[dict[str, Figure]](), dict[str, Curve](), list[Path]()
    for seed in plan.seeds:  # so that one seed is whole where hours are cut
        of_seed, right = dict[str, Figure](), dict[str, list[bool]]()
        for way in plan.ways:
            if seed == plan.seeds[0] and way not in LONGER:
                models.append(pruned(parent, way, 0, seed, own.folder, asked.changes))
                once |= answers.figures(f"{way}_cut", answers.of(models[-1]), of_parent)
            models.append(pruned(parent, way, plan.steps, seed, own.folder, asked.changes))
            right[way] = answers.of(models[-1])
            curves[f"{way}_{seed}"] = recovery(models[-1])
            of_seed |= costs(way, models[-1]) | answers.figures(way, right[way], of_parent)
        for one, other in COMPARED.items():
            if one in right and other in right:
                of_seed |= paired(f"{one}_over_{other}", right[one], right[other])
        found.append(of_seed)
    return {
        **own.told,
        "ways": {way: [*WAYS[way], *asked.changes] for way in plan.ways},
        "seeds": list(plan.seeds),
        "steps": plan.steps,
        "longer": {way: LONGER[way] for way in plan.ways if way in LONGER},
        "goal": "98.5% of the parent's accuracy at levels 1 to 3 with 30% of the neurons less; "
        "half of the experts for 1 point at most",
        "runs": runs_told(models),
        "curves": curves,
    }, answers.figures("parent", of_parent, of_parent) | once | together(found)


if __name__ == "__main__":
    run("pruned", measure)
