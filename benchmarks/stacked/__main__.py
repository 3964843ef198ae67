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
from benchmarks.harness.planned import Asked, Planned, of_parents
from benchmarks.harness.record import Figure, together
from benchmarks.harness.runs import runs_told
from benchmarks.stacked.promised import ATTEMPTS, TOLERANCE, bare, coverage
from benchmarks.stacked.training import PLANS, STACKS, stacked
from tuili.store import model_hash, weight_bytes

FOLDER = RUNS / "stacked"
TEST_SET = 11
"""The number of the test set: others choose between models on those with lower numbers."""


def measure(
    models: tuple[str, ...] = ("nano",),
    stacks: tuple[str, ...] = (),
    seeds: tuple[int, ...] = (),
    scale: float = 1.0,
    per_cell: int = 200,
    levels: tuple[int, ...] = (),
    calibrated: int = 60,
    changes: tuple[str, ...] = (),
    folder: str = str(FOLDER),
) -> Measured:
    """The figures of each stack and parent, a run for each seed: of `PLANS`, unless stacks or seeds are given.

    scale: of the steps of each recovery. calibrated: problems of each domain and level that a model is calibrated on.
    levels, changes: see `Asked`.
    """
    asked = Asked(per_cell, levels, changes, Path(folder))
    return of_parents(models, PLANS, STACKS, Planned(stacks, seeds, 0), partial(_of_parent, asked, scale, calibrated))


def _of_parent(asked: Asked, scale: float, calibrated: int, model: str, plan: Planned) -> Measured:
    own = own_parent(model, "stacked", asked, TEST_SET, calibrated=calibrated)
    parent, answers, cells = own.stored, own.answers, own.cells
    right = answers.of(parent.path)

    def figures(name: str, path: Path) -> dict[str, Figure]:
        """What is measured of a model."""
        covering = partial(coverage, path, own.domains, own.levels, calibrated, TEST_SET)
        covered = cells.get(f"coverage of {model_hash(path)}", covering)
        found = {f"{name}_coverage_{attempts}": Figure("share", [covered[str(attempts)]]) for attempts in ATTEMPTS}
        found |= {f"{name}_weights": Figure("MB", [weight_bytes(path) / 1e6])}
        found |= token_time(name, parent.path, path, cells)
        return found | answers.figures(name, answers.of(path), right)

    of_parent = figures("parent", bare(parent.path, own.folder / "parent" / "model"))
    of_parent["parent_active"] = Figure("parameters", [own.told["parameters"]["active"]])
    found, made, last = list[dict[str, Figure]](), dict[Path, None](), dict[str, list[str]]()
    for seed in plan.seeds:  # so that one seed is whole where hours are cut
        of_seed = dict(of_parent)
        for stack in plan.ways:
            models = stacked(parent.path, stack, scale, seed, own.folder, asked.changes)
            made |= dict.fromkeys(models)
            last.setdefault(stack, []).append(model_hash(models[-1]))
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
            for stack in plan.ways
        },
        "models": last,
        "asked": len(own.problems),
        "changes": list(asked.changes),
        "seeds": list(plan.seeds),
        "calibrated": f"{calibrated} of each, error at most {TOLERANCE:g}, without a verifier",
        "goal": "pico: 1.5 MB at most, 90% of the parent's accuracy at level 1",
        "runs": runs_told(made),
    }, together(found)


if __name__ == "__main__":
    run("stacked", measure)
