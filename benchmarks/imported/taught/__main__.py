"""Problems in words that an imported model solves before and after teaching, with the checker as its calculator.

The models are those of `training`; the model as it came answers in prose, of which the last number counts, and so does
the one that was taught prose. Questions that stand in what was learnt, numbers aside, are left out of `unmatched`.
Several attempts of one request vote.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, get_args

from benchmarks.harness.cells import Cells
from benchmarks.harness.command import Measured, run
from benchmarks.harness.record import Figure
from benchmarks.imported.prompts import DATA
from benchmarks.imported.source import FOLDER, REAL, identity, imported_model
from benchmarks.imported.taught.data import taught_data
from benchmarks.imported.taught.solving import TOKENS, figures_of, solve
from benchmarks.imported.taught.training import CHANGES, taught
from tuili.steps import CalculatorMode
from tuili.store import read_lineage


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
    models = {"base": base} | {kind: taught(base, kind, files, place) for kind in kinds}
    identities = {name: identity(each) for name, each in models.items()}
    cells = Cells("imported_taught", {"numbers": numbers, "attempts": attempts} | identities)
    figures = dict[str, Figure]()
    for name, each in models.items():
        in_steps = name not in ("base", "prose")
        for test, file in files.tests.items():
            for mode in get_args(CalculatorMode) if in_steps else ("off",):
                key = f"{name}_{test}_{mode}" if in_steps else f"{name}_{test}"
                report = cells.get(key, partial(solve, each.path, file, files.seen, mode, numbers))
                figures |= figures_of(key, report)
            if in_steps and attempts > 1:
                key = f"{name}_{test}_attempts"
                voting = partial(solve, each.path, file, files.seen, "forced", numbers, attempts)
                figures |= figures_of(key, cells.get(key, voting))
        if name != "base":
            entry = read_lineage(each.path)[-1]
            figures[f"{name}_hours"] = Figure("hours", [entry.hours])
            figures[f"{name}_tokens"] = Figure("tokens", [entry.tokens])
    return {
        "model": model if model == REAL else "given",
        "recipes": {kind: list(CHANGES[kind]) for kind in kinds},
        "numbers": numbers,
        "tokens": f"at most {TOKENS} an attempt",
        "goal": "MAWPS-dev 0.90 (unmatched 0.87), ASDiv-A 0.70 (0.68), GSM8K 0.10 (wished 0.15) in 10 hours",
    }, figures


if __name__ == "__main__":
    run("imported_taught", measure)
