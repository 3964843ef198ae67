"""Problems in words that an imported model solves before and after teaching, with the checker as its calculator.

The models are those of `training`; the model as it came answers in prose, of which the last number counts, and so does
the one that was taught prose. Questions that stand in what was learnt, numbers aside, are left out of `unmatched`.
Several attempts of one request vote; they are asked of the model that ships.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, get_args

from benchmarks.harness.cells import Cells
from benchmarks.harness.command import Measured, run
from benchmarks.harness.record import Figure
from benchmarks.imported.prompts import DATA
from benchmarks.imported.source import FOLDER, REAL, imported_model
from benchmarks.imported.taught.data import taught_data
from benchmarks.imported.taught.solving import TOKENS, figures_of, solve
from benchmarks.imported.taught.training import CHANGES, taught
from tuili.steps import CalculatorMode
from tuili.store import model_hash, read_lineage

VOTING = "long"
"""The kind of teaching whose model makes several attempts as well."""


def measure(
    model: str = REAL,
    kinds: tuple[str, ...] = tuple(CHANGES),
    numbers: Any = "int8",
    attempts: int = 8,
    folder: str = str(FOLDER),
    data: str = str(DATA),
) -> Measured:
    """The figures of each model on each set. model: see `imported_model`."""
    place = Path(folder)
    base, files = imported_model(model, place), taught_data(place / "taught_data", Path(data))
    cells = Cells("imported_taught", {"numbers": numbers})
    figures = dict[str, Figure]()
    for name in ("base", *kinds):
        each = base if name == "base" else taught(base, name, files, place)
        for key, test, mode, tries in asked(name, tuple(files.tests), attempts):
            solving = partial(solve, each.path, files.tests[test], files.seen, mode, numbers, tries)
            cell = f"{model_hash(each.path)}/{test}/{mode}/{tries}"
            figures |= figures_of(key, cells.get(cell, solving))
        if name != "base":
            entry = read_lineage(each.path)[-1]
            figures[f"{name}_hours"] = Figure("hours", [entry.hours])
            figures[f"{name}_tokens"] = Figure("tokens", [entry.tokens])
    return {
        "model": model if model == REAL else "given",
        "recipes": {kind: list(CHANGES[kind]) for kind in kinds},
        "numbers": numbers,
        "tokens": f"at most {TOKENS} for each attempt, which share them",
        "goal": "MAWPS-dev 0.90 (unmatched 0.87), ASDiv-A 0.70 (0.68), GSM8K 0.10 (wished 0.15) in 10 hours",
    }, figures


def asked(name: str, tests: Sequence[str], attempts: int) -> Iterator[tuple[str, str, CalculatorMode, int]]:
    """How a model is asked: the key of the figure, the set, the calculator's mode, and the attempts."""
    in_steps = name not in ("base", "prose")
    for test in tests:
        modes: tuple[CalculatorMode, ...] = get_args(CalculatorMode) if in_steps else ("off",)
        for mode in modes:
            yield f"{name}_{test}_{mode}" if in_steps else f"{name}_{test}", test, mode, 1
        if name == VOTING and attempts > 1:
            yield f"{name}_{test}_attempts", test, "forced", attempts


if __name__ == "__main__":
    run("imported_taught", measure)
