"""What `tuili adapt` makes of models in one run: right answers before and after on problems that nobody has trained.

The problems are those of `problems`. A run that was interrupted goes on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.harness.command import Measured, run
from benchmarks.harness.record import Figure
from benchmarks.harness.runs import tuili
from benchmarks.imported.adapted.problems import COUNT, write
from benchmarks.imported.source import FOLDER, REAL, imported_model
from tuili.store import resolve_model


def measure(
    models: tuple[str, ...] = ("nano", REAL), count: int = COUNT, minutes: float = 30.0, folder: str = str(FOLDER)
) -> Measured:
    """The figures of each model. models: `nano`, or what `imported_model` takes."""
    place = Path(folder)
    data = place / f"adapted-{count}.jsonl"
    write(data, count)
    figures = dict[str, Figure]()
    for name in models:
        path = resolve_model(name) if name == "nano" else imported_model(name, place).path
        out = place / f"adapted_{Path(name).name}"
        again = ["--resume"] if (out / "run.json").is_file() else []
        tuili("adapt", str(path), "--data", str(data), "--out", str(out), "--minutes", f"{minutes:g}", *again)
        figures |= figures_of(Path(name).name, json.loads((out / "report.json").read_text(encoding="utf-8")))
    return {"models": list(models), "problems": count, "minutes": minutes}, figures


def figures_of(name: str, report: Mapping[str, Any]) -> dict[str, Figure]:
    """The figures of one report."""
    stages = {one["name"]: one["seconds"] / 60 for one in report["stages"]}
    figures = {f"{name}_{stage}_minutes": Figure("minutes", [minutes]) for stage, minutes in stages.items()}
    figures[f"{name}_minutes"] = Figure("minutes", [report["seconds"] / 60])
    for when in ("before", "after"):
        measured = report[when]
        figures[f"{name}_{when}"] = Figure("share", [measured["accuracy"]])
        if measured["unlike"]["questions"]:
            figures[f"{name}_{when}_unlike"] = Figure("share", [measured["unlike"]["accuracy"]])
        figures[f"{name}_{when}_seconds"] = Figure("s", [measured["timing"]["seconds_per_answer"]])
    figures[f"{name}_tested"] = Figure("problems", [report["after"]["questions"]])
    figures[f"{name}_tested_unlike"] = Figure("problems", [report["after"]["unlike"]["questions"]])
    several = report["after"]["several"]
    figures[f"{name}_after_{several['attempts']}_attempts"] = Figure("share", [several["accuracy"]])
    for one in report["after"]["promises"]:
        key = f"{name}_promised_{one['tolerance']:g}"
        figures[f"{key}_answered"] = Figure("problems", [one["answered"]])
        figures[f"{key}_wrong"] = Figure("problems", [one["wrong"]])
    return figures


if __name__ == "__main__":
    run("adapted", measure)
