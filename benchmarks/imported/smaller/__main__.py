"""What is left of an imported model, as it was taught, in 8 bits that it has learnt, with 30% of its neurons less, and
with factors of 60% of its parameters: right answers to MAWPS-dev, MB, and processor time of a token.

The taught model is that of the benchmark `imported_taught`. It and all that is made of it answer the same questions in
the numbers that the engine takes by itself; the parent in its folder's numbers and in 8 bits as well. What was made or
measured before an interruption is kept: call the benchmark again.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from benchmarks.harness.answers import Answers
from benchmarks.harness.cells import RUNS, Cells
from benchmarks.harness.command import Measured, run
from benchmarks.harness.compressed import FACTORISE, PRUNE, QAT, Verb, compressed, costs, token_time
from benchmarks.harness.parents import parameters
from benchmarks.harness.record import Figure, together
from benchmarks.harness.shares import paired, share
from benchmarks.imported.prompts import DATA
from benchmarks.imported.source import FOLDER, REAL, imported_model
from benchmarks.imported.taught.data import taught_data
from benchmarks.imported.taught.training import taught
from tuili.engine import Numbers
from tuili.eval import own_problems
from tuili.store import weight_bytes

RUN_FOLDER = RUNS / "smaller"
WAYS: Mapping[str, tuple[Verb, tuple[str, ...], int]] = {
    "int8": (QAT, (), 300),
    "pruned": (PRUNE, ("prune.share=0.3",), 1000),
    "factorised": (FACTORISE, ("factorise.keep=0.6",), 1000),
}
"""The verb, changes to its recipe, and the steps of its recovery."""
OF_PARENT: Mapping[str, Numbers] = {"parent": "auto", "parent_bf16": "bf16", "parent_int8": "int8"}
"""The numbers in which the parent answers."""


def measure(
    model: str = REAL,
    kind: str = "long",
    ways: tuple[str, ...] = tuple(WAYS),
    seeds: tuple[int, ...] = (1,),
    scale: float = 1.0,
    changes: tuple[str, ...] = (),
    taught_folder: str = str(FOLDER),
    data: str = str(DATA),
    folder: str = str(RUN_FOLDER),
) -> Measured:
    """The figures of each way, a run for each seed.

    model: see `imported_model`. kind: how it was taught. scale: of the steps of each recovery. changes: more of the
    recipes, for all ways.
    """
    place = Path(taught_folder)
    files = taught_data(place / "taught_data", Path(data))
    parent = taught(imported_model(model, place), kind, files, place)
    problems = own_problems(files.tests["mawps_dev"], parent.tokenizer, parent.shape.max_position_embeddings)
    cells = Cells("imported_smaller", {"problems": len(problems)})
    answers = Answers(problems, cells)
    right = {name: answers.of(parent.path, numbers) for name, numbers in OF_PARENT.items()}
    of_parent = {"parent_weights": Figure("MB", [weight_bytes(parent.path) / 1e6])}
    of_parent |= token_time("parent", parent.path, parent.path, cells)
    for name, marks in right.items():
        of_parent |= share(name, marks)
    found = list[dict[str, Figure]]()
    for seed in seeds:
        of_seed = dict(of_parent)
        for way in ways:
            verb, of_way, whole = WAYS[way]
            steps = max(1, round(scale * whole))
            more = [change for change in changes if change.startswith(f"{verb.section}.")]
            run_folder = Path(folder) / f"{way}_{steps}_{seed}"
            smaller = compressed(parent.path, verb, (*of_way, *more), steps, seed, run_folder)
            marks = answers.of(smaller)
            of_seed |= costs(way, smaller) | token_time(way, parent.path, smaller, cells) | share(way, marks)
            of_seed |= paired(f"{way}_over_parent", marks, right["parent"])
        found.append(of_seed)
    return {
        "model": model if model == REAL else "given",
        "taught": kind,
        "ways": {way: [*WAYS[way][1], f"{scale * WAYS[way][2]:g} steps"] for way in ways},
        "changes": list(changes),
        "seeds": list(seeds),
        "problems": f"{len(problems)} questions of MAWPS-dev",
        "parameters": parameters(parent.shape),
        "goal": "none",
    }, together(found)


if __name__ == "__main__":
    run("imported_smaller", measure)
