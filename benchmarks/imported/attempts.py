"""What further attempts are worth to a model that was taught word problems, in two ways.

`corrected`: the model calculates itself, which it never learnt, and each further attempt begins behind the steps that
hold, with the wrong one corrected by the checker. `judged`: the checker calculates, so that no step is wrong; attempts
are drawn at random, and a verifier weighs their votes. It learns from questions that the model was taught, and from
what the model writes about them. That votes alone bring little, `imported_taught` tells.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import product
from os.path import relpath
from pathlib import Path
from typing import Any

from benchmarks.harness.cells import Cells
from benchmarks.harness.command import Measured, run
from benchmarks.harness.record import Figure
from benchmarks.harness.runs import made
from benchmarks.imported.prompts import DATA
from benchmarks.imported.source import FOLDER, REAL, identity, imported_model
from benchmarks.imported.taught.data import TaughtData, taught_data
from benchmarks.imported.taught.solving import TOKENS, figures_of, solve
from benchmarks.imported.taught.training import CHANGES, taught
from tuili.config import load_recipe
from tuili.errors import InputError
from tuili.posttrain import VerifierRecipe
from tuili.steps import CalculatorMode
from tuili.store import ImportedModel, LineageEntry, model_hash, read_lineage, verifier_hash

KIND = "long"
"""The kind of teaching whose model is asked by default."""
RECIPE = "verifier-imported"
WAYS: Mapping[str, tuple[CalculatorMode, bool]] = {"corrected": ("off", False), "judged": ("forced", True)}
"""Who calculates, and whether all attempts are made and vote."""


def measure(
    model: str = KIND,
    attempts: int = 8,
    numbers: Any = "int8",
    ways: tuple[str, ...] = tuple(WAYS),
    changes: tuple[str, ...] = (),
    folder: str = str(FOLDER),
    data: str = str(DATA),
) -> Measured:
    """Right answers after 1, 2, … attempts. model: a folder, or the kind that the benchmark `imported_taught` teaches.
    changes: of the verifier's recipe."""
    place = Path(folder)
    files = taught_data(place / "taught_data", Path(data))
    if not (given := Path(model).is_dir()) and model not in CHANGES:
        raise InputError(f"{model} is no folder: name one, or one of the kinds {', '.join(CHANGES)}")
    chosen = imported_model(model) if given else taught(imported_model(REAL, place), model, files, place)
    figures, verifier = dict[str, Figure](), None
    asked = dict.fromkeys(ways, chosen.path)
    if "judged" in ways:
        asked["judged"] = judged(chosen, files, changes, place / "judged")
        verifier, entry = verifier_hash(asked["judged"]), read_lineage(asked["judged"])[-1]
        figures["verifier_answer_auroc"] = Figure("share", [entry.figures["answer_auroc"]])
    cells = Cells(
        "imported_attempts", {"numbers": numbers, "attempts": attempts, "verifier": verifier} | identity(chosen)
    )
    for way, (test, file) in product(ways, files.tests.items()):
        mode, votes = WAYS[way]
        solving = partial(solve, asked[way], file, files.seen, mode, numbers, attempts, votes)
        figures |= figures_of(f"{way}_{test}", cells.get(f"{way}_{test}", solving))
    return {
        "model": "given" if given else model,
        "ways": {way: WAYS[way] for way in ways},
        "attempts": attempts,
        "numbers": numbers,
        "tokens": f"at most {attempts * TOKENS} in all attempts",
        "goal": "5 points more after several attempts, somewhere",
    }, figures


def judged(model: ImportedModel, files: TaughtData, changes: Sequence[str], run_folder: Path) -> Path:
    """The model with a verifier, which is trained unless it is there."""
    line = [
        f"verifier.model={relpath(model.path)}",
        f"verifier.data={json.dumps([relpath(file) for file in files.seen])}",
        *changes,
    ]
    wanted = load_recipe(RECIPE, line, VerifierRecipe).verifier.model_dump(mode="json")

    def is_of(entry: LineageEntry) -> bool:
        return entry.recipe == {"verifier": wanted} and entry.hash == model_hash(model.path)

    return made(run_folder, is_of, "train", RECIPE, *line)


if __name__ == "__main__":
    run("imported_attempts", measure)
