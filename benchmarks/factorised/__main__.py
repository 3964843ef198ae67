"""Right answers of a model of Tuili's own before and after factorisation: ranks by measured sensitivity against uniform
ones, whitened factors against plain ones, and shared bases of experts against separate factors, as the factors came and
behind recovery.

All models answer the same unseen problems as their parent, at their own depth of each token. Those of several steps of
arithmetic are told apart as well, because low rank may cost them more. The divergences on the way are those of the
recovery's log, over the tokens that were read.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.factorised.training import WAYS, factorised
from benchmarks.harness.cells import RUNS
from benchmarks.harness.command import Measured, run
from benchmarks.harness.compressed import Curve, costs, last_entry, recovery
from benchmarks.harness.parents import own_parent
from benchmarks.harness.record import Figure, together
from benchmarks.harness.shares import paired, share
from tuili.tasks import Problem

FOLDER = RUNS / "factorised"
COMPARED = (("dynamic", "uniform"), ("dynamic", "plain"), ("uniform", "uniform_plain"), ("shared", "separate"))
ARITHMETIC = ("arithmetic", "word_problems", "equations")
SEVERAL_STEPS = 3
"""A chain of so many steps is one of several."""
TEST_SET = 9
"""The number of the test set: others choose between models on those with lower numbers."""


def measure(
    model: str = "nano",
    keep: float = 0.32,
    ways: tuple[str, ...] = tuple(WAYS),
    seeds: tuple[int, ...] = (1, 2, 3),
    steps: int = 2000,
    per_cell: int = 200,
    levels: tuple[int, ...] = (1, 2, 3),
    changes: tuple[str, ...] = (),
    folder: str = str(FOLDER),
) -> Measured:
    """The figures of each way, a run for each seed. changes: more of the recipe, for all ways."""
    own = own_parent(model, "factorised", per_cell, levels, TEST_SET)
    parent, answers = own.stored, own.answers
    found, curves = list[dict[str, Figure]](), dict[str, Curve]()
    for seed in seeds:  # so that one seed is whole where hours are cut
        of_seed, right = dict[str, Figure](), {"parent": answers.of(parent.path)}
        for way in ways:
            raw, healed = (factorised(parent, way, keep, count, seed, Path(folder), changes) for count in (0, steps))
            right[f"{way}_raw"], right[way] = answers.of(raw), answers.of(healed)
            curves[f"{way}_{seed}"] = recovery(healed)
            of_seed |= _costs(way, healed)
        for name, of_model in right.items():
            of_seed |= answers.figures(name, of_model, right["parent"])
            of_seed |= several_steps(name, own.problems, of_model)
        for one, other in COMPARED:
            for behind in ("", "_raw"):
                if one + behind in right and other + behind in right:
                    of_seed |= paired(f"{one}_over_{other}{behind}", right[one + behind], right[other + behind])
        found.append(of_seed)
    return {
        **own.told,
        "keep": keep,
        "ways": {way: [*WAYS[way], *changes] for way in ways},
        "seeds": list(seeds),
        "steps": steps,
        "several_steps": f"{SEVERAL_STEPS} or more, of {', '.join(ARITHMETIC)}",
        "goal": "98% of the parent's accuracy with 68% of the parameters less; dynamic ranks ahead of uniform ones by "
        "more than the seeds' spread",
        "curves": curves,
    }, together(found)


def several_steps(name: str, problems: Sequence[Problem], right: Sequence[bool]) -> dict[str, Figure]:
    """The share of right answers to problems of several steps of arithmetic; nothing where there are none."""
    marks = [
        mark
        for problem, mark in zip(problems, right, strict=True)
        if problem.domain in ARITHMETIC and len(problem.steps) >= SEVERAL_STEPS
    ]
    return share(f"{name}_several_steps", marks)


def _costs(way: str, model: Path) -> dict[str, Figure]:
    """What the verbs have in common, and what experts share."""
    told, figures = last_entry(model).figures, costs(way, model)
    figures[f"{way}_shared_bases"] = Figure("stacks", [told["shared_bases"]])
    if "shared_over_separate" in told:
        figures[f"{way}_shared_over_separate"] = Figure("x", [told["shared_over_separate"]])
    return figures


if __name__ == "__main__":
    run("factorised", measure)
