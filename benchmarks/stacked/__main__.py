"""What is left of a model of Tuili's own that is made smaller in several ways, one upon the other: MB, active
parameters, processor time of a token, right answers by level, and how much it answers at an error of at most 5%. The
smallest of the stacks is `pico`.

All models answer the same unseen problems as their parent, at their own depth of each token; each link has chosen its
exits anew, and the last model is calibrated anew. Divergence is that of the last link. What was made or measured before
an interruption is kept: call the benchmark again.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from benchmarks.harness.cells import RUNS
from benchmarks.harness.command import Measured, run
from benchmarks.harness.compressed import costs, last_entry, token_time
from benchmarks.harness.parents import own_parent
from benchmarks.harness.record import Figure, together
from benchmarks.stacked.promised import ATTEMPTS, TOLERANCE, bare, coverage
from benchmarks.stacked.training import STACKS, stacked
from tuili.store import model_hash, weight_bytes

FOLDER = RUNS / "stacked"
TEST_SET = 11
"""The number of the test set: others choose between models on those with lower numbers."""


def measure(
    model: str = "nano",
    stacks: tuple[str, ...] = tuple(STACKS),
    seeds: tuple[int, ...] = (1,),
    scale: float = 1.0,
    per_cell: int = 200,
    levels: tuple[int, ...] = (1, 2, 3),
    calibrated: int = 60,
    changes: tuple[str, ...] = (),
    folder: str = str(FOLDER),
) -> Measured:
    """The figures of each stack, a run for each seed.

    scale: of the steps of each recovery. calibrated: problems of each domain and level that a model is calibrated on.
    changes: more of the recipes, for all stacks.
    """
    own = own_parent(model, "stacked", per_cell, levels, TEST_SET, calibrated=calibrated)
    parent, answers, cells, place = own.stored, own.answers, own.cells, Path(folder)
    right = answers.of(parent.path)

    def figures(name: str, path: Path) -> dict[str, Figure]:
        """What is measured of a model."""
        covering = partial(coverage, path, own.domains, levels, calibrated, TEST_SET)
        covered = cells.get(f"coverage of {model_hash(path)}", covering)
        found = {f"{name}_coverage_{attempts}": Figure("share", [covered[str(attempts)]]) for attempts in ATTEMPTS}
        found |= {f"{name}_weights": Figure("MB", [weight_bytes(path) / 1e6])}
        found |= token_time(name, parent.path, path, cells)
        return found | answers.figures(name, answers.of(path), right)

    of_parent = figures("parent", bare(parent.path, place / "parent" / "model"))
    of_parent["parent_active"] = Figure("parameters", [own.told["parameters"]["active"]])
    found = list[dict[str, Figure]]()
    for seed in seeds:  # so that one seed is whole where hours are cut
        of_seed = dict(of_parent)
        for stack in stacks:
            models = stacked(parent.path, stack, scale, seed, place, changes)
            of_seed |= costs(stack, models[-1]) | figures(stack, models[-1])
            entries = [last_entry(each) for each in models]
            of_seed[f"{stack}_tokens"] = Figure("tokens", [sum(entry.tokens for entry in entries)])
            of_seed[f"{stack}_hours"] = Figure("hours", [sum(entry.hours for entry in entries)])
            of_seed["parent_depth"] = Figure("layers", [entries[0].figures["mean_depth_before"]])
        found.append(of_seed)
    return {
        **own.told,
        "stacks": {
            stack: [f"{link.name}: {' '.join(link.changes)}, {scale * link.steps:g} steps" for link in STACKS[stack]]
            for stack in stacks
        },
        "changes": list(changes),
        "seeds": list(seeds),
        "calibrated": f"{calibrated} of each, error at most {TOLERANCE:g}, without a verifier",
        "goal": "pico: 1.5 MB at most, 90% of the parent's accuracy at level 1",
    }, together(found)


if __name__ == "__main__":
    run("stacked", measure)
