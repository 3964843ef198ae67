"""Right answers of a model of Tuili's own in whole numbers: rounded as it is (PTQ), and after it has learnt them (QAT);
and the speed of such numbers in a model of more than 100M parameters, with random weights.

All answer the same unseen problems as their parent, which computes in the numbers of its folder, at their own depth of
each token. Rounding as it is needs no seed; learning has one a run. What was made or measured before an interruption is
kept: call the benchmark again.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from benchmarks.harness.cells import RUNS, Cells
from benchmarks.harness.command import Measured, run
from benchmarks.harness.compressed import costs, last_entry
from benchmarks.harness.parents import own_parent
from benchmarks.harness.record import Figure, together
from benchmarks.harness.shares import paired
from benchmarks.quantised.speed import GOALS, SIDES, figures_of, speeds
from benchmarks.quantised.training import WAYS, quantised
from tuili.engine import Numbers
from tuili.store import StoredModel, open_tensors

FOLDER = RUNS / "quantised"
STORED: Mapping[str, Numbers] = {"BF16": "bf16", "F32": "fp32"}
TEST_SET = 8
"""The number of the test set: others choose between models on those with lower numbers."""


def measure(
    model: str = "nano",
    ways: tuple[str, ...] = tuple(WAYS),
    seeds: tuple[int, ...] = (1, 2, 3),
    steps: int = 500,
    per_cell: int = 200,
    levels: tuple[int, ...] = (1, 2, 3),
    changes: tuple[str, ...] = (),
    size: str = "135m",
    threads: int = 1,
    rounds: int = 5,
    folder: str = str(FOLDER),
) -> Measured:
    """The figures of each way, a run for each seed, and the speeds of `size`, one of those of the benchmark `engine`.

    changes: more of the recipe, for all ways. rounds: turns of the speeds; 0 leaves them out.
    """
    own = own_parent(model, "quantised", per_cell, levels, TEST_SET)
    parent, answers = own.stored, own.answers
    numbers = _numbers(parent)
    of_parent = answers.of(parent.path, numbers)
    figures = answers.figures("parent", of_parent, of_parent)
    found = list[dict[str, Figure]]()
    for seed in seeds:  # so that one seed is whole where hours are cut
        of_seed = dict[str, Figure]()
        for way in ways:
            rounded, learnt = (quantised(parent, way, count, seed, Path(folder), changes) for count in (0, steps))
            ptq, qat = answers.of(rounded), answers.of(learnt)
            of_seed |= answers.figures(f"{way}_ptq", ptq, of_parent) | answers.figures(f"{way}_qat", qat, of_parent)
            of_seed |= paired(f"{way}_qat_over_ptq", qat, ptq) | _costs(way, learnt)
        found.append(of_seed)
    if rounds:
        setting = {"size": size, "threads": threads, "rounds": rounds}
        timed = Cells("quantised_speed", setting).get("speeds", lambda: speeds(size, threads, rounds))
        figures |= figures_of(timed)
    return {
        **own.told,
        "ways": {way: [*WAYS[way], *changes] for way in ways},
        "seeds": list(seeds),
        "steps": steps,
        "parent_numbers": numbers,
        "speed": {
            "size": size,
            "weights": "random",
            "threads": threads,
            "sides": {k: str(v) for k, v in SIDES.items()},
        },
        "goal": "int8 within 0.2 points of the parent, w4a8 within 0.5",
        "speed_goals": GOALS,
    }, figures | together(found)


def _numbers(parent: StoredModel) -> Numbers:
    """Those of its folder."""
    with open_tensors(parent.path, parent.shape) as tensors:
        return STORED[tensors.kind("model.embed_tokens.weight")]


def _costs(way: str, model: Path) -> dict[str, Figure]:
    """What the verbs have in common, and how many weights have 4 bits."""
    figures = costs(way, model)
    if (four_bits := last_entry(model).figures.get("four_bits")) is not None:
        figures[f"{way}_four_bits"] = Figure("share of the weights of matrices", [four_bits])
    return figures


if __name__ == "__main__":
    run("quantised", measure)
