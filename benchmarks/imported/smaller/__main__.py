"""What is left of an imported model, as it was taught, in 8 bits that it has learnt, with 30% of its neurons less, and
with factors of 60% of its parameters: right answers to MAWPS-dev, MB, and processor time of a token.

The taught model is `smollm2-math`, as `tuili fetch` gets it. It answers in bf16, its folder's numbers, and so do the
pruned and the factorised model; the one that has learnt 8 bits answers in these, and beside it the parent as the engine
rounds it. They recover on MAWPS's questions of training, which the parent was taught among others. All answer the same
questions. MB are those of the folder, and of the weights in memory, with two bytes or one a parameter. What
was made or measured before an interruption is kept: call the benchmark again.

MAWPS-dev has chosen among the taught models, so the parent may stand a little too well on it, and its children alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from os.path import relpath
from pathlib import Path

from benchmarks.harness.answers import Answers
from benchmarks.harness.cells import RUNS, Cells
from benchmarks.harness.command import Measured, run
from benchmarks.harness.compressed import FACTORISE, PRUNE, QAT, Verb, changes_of, compressed, costs, token_time
from benchmarks.harness.parents import parameters
from benchmarks.harness.planned import check_ways
from benchmarks.harness.record import Figure, together
from benchmarks.harness.runs import runs_told
from benchmarks.harness.shares import paired, share
from benchmarks.imported.prompts import DATA
from benchmarks.imported.source import FOLDER, TAUGHT, imported_model
from benchmarks.imported.taught.data import taught_data
from tuili.engine import Numbers
from tuili.eval import own_problems
from tuili.store import count_parameters, model_hash, open_model, weight_bytes

RUN_FOLDER = RUNS / "smaller"
WAYS: Mapping[str, tuple[Verb, tuple[str, ...], int]] = {
    "int8": (QAT, (), 300),
    "pruned": (PRUNE, ("prune.share=0.3", "prune.samples=200"), 1000),
    "factorised": (FACTORISE, ("factorise.keep=0.6", "factorise.samples=200", "factorise.probes=16"), 1000),
}
"""The verb, changes to its recipe, and the steps of its recovery. Samples are fewer than the recipes': with theirs, the
210 matrices take most of an hour before the first step."""
SERVED: Mapping[str, Numbers] = {"int8": "int8"}
"""The numbers in which the models of a way compute; those of the others, and of their parent, are `PLAIN`."""
PLAIN: Numbers = "bf16"
BYTES: Mapping[Numbers, int] = {"bf16": 2, "int8": 1}
"""Of a number in memory."""


def measure(
    model: str = TAUGHT,
    ways: tuple[str, ...] = tuple(WAYS),
    seeds: tuple[int, ...] = (1,),
    scale: float = 0.12,
    changes: tuple[str, ...] = (),
    taught_folder: str = str(FOLDER),
    data: str = str(DATA),
    folder: str = str(RUN_FOLDER),
) -> Measured:
    """The figures of each way, a run for each seed.

    model: see `imported_model`. scale: of the steps of each recovery. changes: more of the recipes, for all ways.
    taught_folder: of the questions that the taught models have in common.
    """
    check_ways(ways, WAYS)
    files = taught_data(Path(taught_folder) / "taught_data", Path(data))
    parent = imported_model(model, Path(taught_folder))
    questions = Path(relpath(files.mawps))  # so that a run may be gone on with in another place
    problems = own_problems(files.tests["mawps_dev"], parent.tokenizer, parent.shape.max_position_embeddings)
    cells = Cells("imported_smaller", {"problems": len(problems)})
    answers = Answers(problems, cells)
    plain = answers.of(parent.path, PLAIN)

    def figures(name: str, path: Path, numbers: Numbers) -> dict[str, Figure]:
        """What is measured of a model that computes in these numbers, beside its parent in its own."""
        right, held = answers.of(path, numbers), count_parameters(open_model(path).shape).total * BYTES[numbers]
        sizes = {"weights": weight_bytes(path) / 1e6, "held": held / 1e6}
        found = {f"{name}_{key}": Figure("MB", [value]) for key, value in sizes.items()}
        found |= token_time(name, parent.path, path, cells, (PLAIN, numbers)) | share(name, right)
        return found if name == "parent" else found | paired(f"{name}_over_parent", right, plain)

    of_parent = figures("parent", parent.path, PLAIN) | figures("rounded", parent.path, "int8")
    found, models = list[dict[str, Figure]](), list[Path]()
    for seed in seeds:
        of_seed = dict(of_parent)
        for way in ways:
            verb, of_way, whole = WAYS[way]
            steps = max(1, round(scale * whole))
            run_folder = Path(folder) / model_hash(parent.path)[:8] / f"{way}_{steps}_{seed}"
            of_verb = (*of_way, *changes_of(verb, changes))
            models.append(compressed(parent.path, verb, of_verb, steps, seed, run_folder, questions))
            of_seed |= costs(way, models[-1]) | figures(way, models[-1], SERVED.get(way, PLAIN))
            if way == "int8":
                learnt, rounded = (answers.of(path, "int8") for path in (models[-1], parent.path))
                of_seed |= paired("int8_over_rounded", learnt, rounded)
        found.append(of_seed)
    return {
        "model": model if model == TAUGHT else "given",
        "ways": {way: [*WAYS[way][1], f"{scale * WAYS[way][2]:g} steps"] for way in ways},
        "numbers": {"parent": PLAIN, "rounded": "int8"} | {way: SERVED.get(way, PLAIN) for way in ways},
        "changes": list(changes),
        "seeds": list(seeds),
        "problems": f"{len(problems)} questions of MAWPS-dev",
        "parameters": parameters(parent.shape),
        "goal": "none",
        "runs": runs_told(models),
    }, together(found)


if __name__ == "__main__":
    run("imported_smaller", measure)
