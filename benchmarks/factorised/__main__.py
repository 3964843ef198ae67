"""Right answers of a model of Tuili's own before and after factorisation: ranks by measured sensitivity against uniform
ones, whitened factors against plain ones, and shared bases of experts against separate factors, as the factors came and
behind recovery.

All models answer the same unseen problems as their parent, at their own depth of each token. Those of several steps of
arithmetic are told apart as well, because low rank may cost them more. The divergences on the way are those of the
recovery's log, over the tokens that were read. As their factors came, models are measured with the first seed alone.
What was made or measured before an interruption is kept: call the benchmark again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from benchmarks.factorised.training import LONGER, PLANS, SAME_FACTORS, WAYS, factorised
from benchmarks.harness.cells import RUNS
from benchmarks.harness.command import Measured, run
from benchmarks.harness.compressed import Curve, costs, last_entry, recovery
from benchmarks.harness.parents import own_parent
from benchmarks.harness.planned import PARENTS, Asked, Planned, of_parents
from benchmarks.harness.record import Figure, together
from benchmarks.harness.runs import runs_told
from benchmarks.harness.shares import paired, share
from tuili.tasks import Problem

FOLDER = RUNS / "factorised"
COMPARED = (
    ("dynamic", "uniform"), ("dynamic", "uniform_fast"), ("dynamic", "plain"), ("uniform", "uniform_plain"),
    ("shared", "separate"),
)  # fmt: skip
ARITHMETIC = ("arithmetic", "word_problems", "equations")
SEVERAL_STEPS = 3
"""A chain of so many steps is one of several."""
TEST_SET = 9
"""The number of the test set: others choose between models on those with lower numbers."""


def measure(
    models: tuple[str, ...] = PARENTS,
    keep: float = 0.32,
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
    return of_parents(models, PLANS, WAYS, Planned(ways, seeds, steps), partial(_of_parent, asked, keep))


def _of_parent(asked: Asked, keep: float, model: str, plan: Planned) -> Measured:
    own = own_parent(model, "factorised", asked, TEST_SET)
    parent, answers = own.stored, own.answers
    of_parent = answers.of(parent.path)

    def figures(name: str, right: Sequence[bool]) -> dict[str, Figure]:
        return answers.figures(name, right, of_parent) | several_steps(name, own.problems, right, of_parent)

    found, curves, models, once = (
        list[dict[str, Figure]](),
        dict[str, Curve](),
        list[Path](),
        figures("parent", of_parent),
    )
    raw = dict[str, list[bool]]()
    for way in (*plan.ways, *plan.unrecovered):
        if SAME_FACTORS.get(way) not in plan.ways:
            models.append(factorised(parent, way, keep, 0, plan.seeds[0], own.folder, asked.changes))
            raw[way] = answers.of(models[-1])
            once |= figures(f"{way}_raw", raw[way])
    once |= _compared("_raw", raw)
    for seed in plan.seeds:  # so that one seed is whole where hours are cut
        of_seed, healed = dict[str, Figure](), dict[str, list[bool]]()
        for way in plan.ways:
            models.append(factorised(parent, way, keep, plan.steps, seed, own.folder, asked.changes))
            healed[way] = answers.of(models[-1])
            curves[f"{way}_{seed}"] = recovery(models[-1])
            of_seed |= _costs(way, models[-1]) | figures(way, healed[way])
        of_seed |= _compared("", healed)
        found.append(of_seed)
    return {
        **own.told,
        "keep": keep,
        "ways": {way: [*WAYS[way], *asked.changes] for way in (*plan.ways, *plan.unrecovered)},
        "seeds": list(plan.seeds),
        "steps": plan.steps,
        "longer": {way: LONGER[way] for way in plan.ways if way in LONGER},
        "several_steps": f"{SEVERAL_STEPS} or more, of {', '.join(ARITHMETIC)}",
        "goal": "98% of the parent's accuracy with 68% of the parameters less; dynamic ranks ahead of uniform ones by "
        "more than the seeds' spread",
        "runs": runs_told(models),
        "curves": curves,
    }, once | together(found)


def _compared(behind: str, right: Mapping[str, Sequence[bool]]) -> dict[str, Figure]:
    """The ways that are compared, as far as they were measured. behind: what their figures' names end with."""
    found = dict[str, Figure]()
    for one, other in COMPARED:
        if one in right and other in right:
            found |= paired(f"{one}_over_{other}{behind}", right[one], right[other])
    return found


def several_steps(
    name: str, problems: Sequence[Problem], right: Sequence[bool], parent: Sequence[bool]
) -> dict[str, Figure]:
    """The share of right answers to problems of several steps of arithmetic, and the points over the parent's; nothing
    where there are no such problems."""
    marks = [
        pair
        for problem, *pair in zip(problems, right, parent, strict=True)
        if problem.domain in ARITHMETIC and len(problem.steps) >= SEVERAL_STEPS
    ]
    own, whole = ([pair[place] for pair in marks] for place in (0, 1))
    found = share(f"{name}_several_steps", own)
    return found if name == "parent" else found | paired(f"{name}_several_steps_over_parent", own, whole)


def _costs(way: str, model: Path) -> dict[str, Figure]:
    """What the verbs have in common, and what experts share."""
    told, figures = last_entry(model).figures, costs(way, model)
    figures[f"{way}_shared_bases"] = Figure("stacks", [told["shared_bases"]])
    if "shared_over_separate" in told:
        figures[f"{way}_shared_over_separate"] = Figure("x", [told["shared_over_separate"]])
    return figures


if __name__ == "__main__":
    run("factorised", measure)
