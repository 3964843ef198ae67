"""Right answers of an imported model by the examples that it was taught with, at equal tokens: equations or prose of
the same questions, and equations of questions that are read as they are or multiplied as well.

What answers in equations is asked with the checker as its calculator and without; of prose the last number counts, and
of the model as it came. Rates of learning fall to the end of a training, so models on its way would be worse than they
need be: accuracy after a part of the tokens is that of another training, one of `parts`. Questions that stand in what
any model learnt from, numbers aside, are left out of `unmatched`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks.harness.cells import Cells
from benchmarks.harness.command import Measured, run
from benchmarks.harness.record import Figure, together
from benchmarks.imported.examples.data import example_data
from benchmarks.imported.examples.training import KINDS, RECIPE, Curve, trained
from benchmarks.imported.prompts import DATA
from benchmarks.imported.source import FOLDER, REAL, imported_model
from benchmarks.imported.taught.data import TaughtData
from benchmarks.imported.taught.solving import TOKENS, figures_of, solve
from tuili.steps import CalculatorMode
from tuili.store import ImportedModel, model_hash, read_lineage

MODES: tuple[CalculatorMode, ...] = ("forced", "off")
COMPARED = {"equations": "prose", "multiplied": "once"}
"""What each is compared with."""


def measure(
    model: str = REAL,
    kinds: tuple[str, ...] = tuple(KINDS),
    seeds: tuple[int, ...] = (1, 2),
    tokens: int = 600_000,
    parts: tuple[float, ...] = (1.0,),
    asked: int = 400,
    numbers: Any = "int8",
    folder: str = str(FOLDER),
    data: str = str(DATA),
) -> Measured:
    """The figures of each kind, a run for each seed. model: see `imported_model`. asked: questions of ASDiv-A."""
    place = Path(folder)
    base, files = imported_model(model, place), example_data(place / "taught_data", asked, Path(data))
    cells = Cells("taught_examples", {"numbers": numbers, "asked": asked})
    solved = partial(_solved, cells, files, numbers)
    found, curves = list[dict[str, Figure]](), dict[str, Curve]()
    for seed in seeds:  # so that one seed is whole where hours are cut
        of_seed = dict[str, Figure]()
        for kind, part in product(kinds, parts):
            each, curve = trained(base, kind, files, round(part * tokens), seed, place / "taught_examples")
            name = kind if part == 1 else f"{kind}_{part:g}"
            curves[f"{name}_{seed}"] = curve
            of_seed |= solved(name, each, ("off",) if kind == "prose" else MODES)
            entry = read_lineage(each.path)[-1]
            of_seed[f"{name}_tokens"] = Figure("tokens", [entry.tokens])
            of_seed[f"{name}_hours"] = Figure("hours", [entry.hours])
            of_seed[f"{name}_validation_loss"] = Figure("nats", [entry.figures["validation_loss"]])
        found.append(of_seed)
    figures = solved("base", base, ("off",)) | together(found)
    return {
        "model": model if model == REAL else "given",
        "kinds": {kind: KINDS[kind] for kind in kinds},
        "recipe": list(RECIPE),
        "seeds": list(seeds),
        "tokens": tokens,
        "parts": list(parts),
        "asked": f"{asked} of ASDiv-A, all of MAWPS-dev, 500 of GSM8K that are held back",
        "answers": f"of at most {TOKENS} tokens",
        "numbers": numbers,
        "validation_losses": curves,
    }, figures | compared(figures, list(files.tests))


def _solved(
    cells: Cells, files: TaughtData, numbers: Any, name: str, model: ImportedModel, modes: Sequence[CalculatorMode]
) -> dict[str, Figure]:
    """The figures of a model on each set. What was measured of the same weights is not measured again."""
    figures, weights = dict[str, Figure](), model_hash(model.path)
    for (test, file), mode in product(files.tests.items(), modes):
        asking = partial(solve, model.path, file, files.seen, mode, numbers)
        key = f"{name}_{test}_{mode}" if len(modes) > 1 else f"{name}_{test}"
        figures |= figures_of(key, cells.get(f"{weights}/{test}/{mode}", asking))
    return figures


def compared(figures: dict[str, Figure], tests: Sequence[str]) -> dict[str, Figure]:
    """The points of accuracy of one kind over another, seed by seed. Nothing calculates for one that answers in prose:
    it is compared with what calculates itself, too.
    """
    over = dict[str, Figure]()
    for (one, other), test, mode in product(COMPARED.items(), tests, MODES):
        first = figures.get(f"{one}_{test}_{mode}")
        second = figures.get(f"{other}_{test}_{mode}") or (figures.get(f"{other}_{test}") if mode == "off" else None)
        if first and second:
            points = [100 * (a - b) for a, b in zip(first.runs, second.runs, strict=True)]
            over[f"{one}_over_{other}_{test}_{mode}"] = Figure("points", points)
    return over


if __name__ == "__main__":
    run("taught_examples", measure)
