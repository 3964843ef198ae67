"""Right answers of a model of Tuili's own before and after pruning: neurons by activation against magnitude, and
experts by REAP against frequency, as they were cut and behind recovery.

All models answer the same unseen problems as their parent, at their own depth of each token. The divergences on the way
are those of the recovery's log, over the tokens that were read.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.harness.cells import RUNS
from benchmarks.harness.command import Measured, run
from benchmarks.harness.compressed import Curve, costs, recovery
from benchmarks.harness.parents import own_parent
from benchmarks.harness.record import Figure, together
from benchmarks.harness.shares import paired
from benchmarks.pruned.training import WAYS, pruned

FOLDER = RUNS / "pruned"
COMPARED = {"activation": "magnitude", "reap": "frequency"}
"""What each way is compared with."""
TEST_SET = 7
"""The number of the test set: others choose between models on those with lower numbers."""


def measure(
    model: str = "nano",
    ways: tuple[str, ...] = tuple(WAYS),
    seeds: tuple[int, ...] = (1, 2, 3),
    steps: int = 1000,
    per_cell: int = 200,
    levels: tuple[int, ...] = (1, 2, 3),
    changes: tuple[str, ...] = (),
    folder: str = str(FOLDER),
) -> Measured:
    """The figures of each way, a run for each seed. changes: more of the recipe, for all ways."""
    own = own_parent(model, "pruned", per_cell, levels, TEST_SET)
    parent, answers = own.stored, own.answers
    found, curves = list[dict[str, Figure]](), dict[str, Curve]()
    for seed in seeds:  # so that one seed is whole where hours are cut
        of_seed, right = dict[str, Figure](), {"parent": answers.of(parent.path)}
        for way in ways:
            cut, healed = (pruned(parent, way, count, seed, Path(folder), changes) for count in (0, steps))
            right[f"{way}_cut"], right[way] = answers.of(cut), answers.of(healed)
            curves[f"{way}_{seed}"] = recovery(healed)
            of_seed |= costs(way, healed)
        for name, of_model in right.items():
            of_seed |= answers.figures(name, of_model, right["parent"])
        for one, other in COMPARED.items():
            if one in right and other in right:
                of_seed |= paired(f"{one}_over_{other}", right[one], right[other])
        found.append(of_seed)
    return {
        **own.told,
        "ways": {way: [*WAYS[way], *changes] for way in ways},
        "seeds": list(seeds),
        "steps": steps,
        "goal": "98.5% of the parent's accuracy at levels 1 to 3 with 30% of the neurons less; "
        "half of the experts for 1 point at most",
        "curves": curves,
    }, together(found)


if __name__ == "__main__":
    run("pruned", measure)
