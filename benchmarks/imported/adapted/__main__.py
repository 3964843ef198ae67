"""What `tuili adapt` makes of models in one run: right answers before and after on problems that nobody has trained.

The problems are those of `problems`. Some are in wordings that no taught one has: these are asked by `tuili eval`,
before and after. A run that was interrupted goes on, with the same code alone.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.harness.command import Measured, run
from benchmarks.harness.record import Figure, commit
from benchmarks.harness.runs import tuili
from benchmarks.imported.adapted.problems import COUNT, HELD, write
from benchmarks.imported.source import FOLDER, REAL, imported_model
from tuili.store import model_hash, resolve_model

FEWEST = 10
"""Of fewer questions no share is told."""


def measure(
    models: tuple[str, ...] = ("nano", REAL),
    count: int = COUNT,
    held: int = HELD,
    minutes: float = 30.0,
    seed: int = 1,
    folder: str = str(FOLDER),
) -> Measured:
    """The figures of each model. models: `nano`, or what `imported_model` takes."""
    place = Path(os.path.relpath(folder))  # a run goes on wherever the work tree stands
    data, others = place / f"adapted-{count}.jsonl", place / f"adapted-held-{held}.jsonl"
    place.mkdir(parents=True, exist_ok=True)
    write(data, count)
    write(others, held, held=True)
    figures, hashes = dict[str, Figure](), dict[str, str]()
    for model in models:
        path = resolve_model(model) if model == "nano" else imported_model(model, place).path
        name, path = Path(model).name, Path(os.path.relpath(path))
        hashes[name] = model_hash(path)
        out = _folder_of(name, place)
        again = ["--resume"] if (out / "run.json").is_file() else []
        print(f"bench: adapting {name} in {out}, of which each stage writes its result to stages", flush=True)
        limits = ("--minutes", f"{minutes:g}", "--seed", str(seed))
        tuili("adapt", str(path), "--data", str(data), "--out", str(out), *limits, *again)
        figures |= figures_of(name, json.loads((out / "report.json").read_text(encoding="utf-8")))
        for when, asked in (("before", path), ("after", out / "model")):
            file = out / f"held_{when}.json"
            if not file.is_file():
                print(f"bench: asking {name} in wordings that were not taught, {when}", flush=True)
                tuili("eval", str(asked), "--data", str(others), "--json", str(file))
            figures |= held_figures(name, when, json.loads(file.read_text(encoding="utf-8")))
    return {"models": hashes, "problems": count, "held": held, "minutes": minutes, "seed": seed}, figures


def _folder_of(name: str, place: Path) -> Path:
    """The folder of a run with the present code. What other code or an unknown one has begun is not gone on with."""
    code = commit()
    if code is not None and not code.endswith("+"):
        return place / f"adapted_{name}_{code[:12]}"
    out = place / f"adapted_{name}"
    shutil.rmtree(out, ignore_errors=True)
    return out


def figures_of(name: str, report: Mapping[str, Any]) -> dict[str, Figure]:
    """The figures of one report."""
    stages = {one["name"]: one["seconds"] / 60 for one in report["stages"]}
    figures = {f"{name}_{stage}_minutes": Figure("minutes", [minutes]) for stage, minutes in stages.items()}
    figures[f"{name}_minutes"] = Figure("minutes", [report["seconds"] / 60])
    for when in ("before", "after"):
        measured = report[when]
        figures |= _share(f"{name}_{when}", measured)
        figures |= _share(f"{name}_{when}_lenient", measured["lenient"])
        if measured["unlike"]["questions"] >= FEWEST:
            figures |= _share(f"{name}_{when}_unlike", measured["unlike"])
        figures[f"{name}_{when}_seconds"] = Figure("s", [measured["timing"]["seconds_per_answer"]])
    figures[f"{name}_tested"] = Figure("problems", [report["after"]["questions"]])
    figures[f"{name}_tested_unlike"] = Figure("problems", [report["after"]["unlike"]["questions"]])
    if several := report["after"]["several"]:
        figures |= _share(f"{name}_after_{several['attempts']}_attempts", several)
    for one in report["after"]["promises"]:
        key = f"{name}_promised_{one['tolerance']:g}"
        figures[f"{key}_answered"] = Figure("problems", [one["answered"]])
        figures[f"{key}_wrong"] = Figure("problems", [one["wrong"]])
    return figures


def held_figures(name: str, when: str, report: Mapping[str, Any]) -> dict[str, Figure]:
    """The figures of an evaluation in wordings that were not taught."""
    figures = _share(f"{name}_held_{when}", report)
    figures[f"{name}_held_{when}_lenient"] = Figure("share", [report["lenient"]])
    return figures | {f"{name}_held": Figure("problems", [report["problems"]])}


def _share(key: str, measured: Mapping[str, Any]) -> dict[str, Figure]:
    """A share of right answers with its 95% interval."""
    low, high = measured["ci95"]
    values = {key: measured["accuracy"], f"{key}_low95": low, f"{key}_high95": high}
    return {name: Figure("share", [value]) for name, value in values.items()}


if __name__ == "__main__":
    run("adapted", measure)
