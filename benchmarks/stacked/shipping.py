"""The smallest stack put into the package, if its record says that it is good enough: `scripts/ship-pico` calls this.

The record is that of the benchmark `stacked`, and of these very weights. Its right answers go into the model's lineage,
which the verbs left without, because the benchmark measures them on more problems: those of the stack, as it measures
its links no more than the verbs do.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Any

from benchmarks.harness.parents import LEVELS
from benchmarks.harness.record import RESULTS
from tuili.errors import InputError, TuiliError
from tuili.store import SHIPPED_MODELS, model_hash, open_model, read_lineage, replaced_folder, write_lineage

NAME = "pico"
MOST_MB, LEAST_KEPT = 1.5, 0.9
"""The goal: megabytes of weights, and of the parent's right answers at level 1."""


def ship(model: Path, record: Path, folder: Path, stack: str = NAME) -> None:
    """Copy a model to `folder`, where a former one may be, with its record's right answers in its lineage.

    Raises `InputError` where the record is of other weights, or where they miss the goal.
    """
    try:
        document = json.loads(record.read_text(encoding="utf-8"))
        config, figures = document["config"], document["figures"]
        found = _figures(stack, config, figures)
        hashes, weights = config["models"][stack], _value(figures, f"{stack}_weights")
        kept = _value(figures, f"{stack}_level_1_kept")
    except (OSError, ValueError, LookupError, TypeError, ZeroDivisionError) as error:
        raise InputError(f"{record} holds no measured {stack}: make bench NAMES=stacked measures it") from error
    digest = model_hash(open_model(model).path)
    if digest not in hashes:
        raise InputError(f"{record} has measured other weights than those of {model}: measure them first")
    if weights > MOST_MB:
        raise InputError(f"{stack} has {weights:.2f} MB of weights, and {MOST_MB:g} are the most: it is not shipped")
    if kept < LEAST_KEPT:
        raise InputError(
            f"{stack} keeps {kept:.1%} of its parent's right answers at level 1, and {LEAST_KEPT:.0%} are the least: "
            "it is not shipped"
        )
    *before, last = read_lineage(model)
    with replaced_folder(folder) as fresh:
        shutil.copytree(model, fresh)
        write_lineage(fresh, (*before, replace(last, figures={**last.figures, **found})))


def _figures(stack: str, config: Mapping[str, Any], figures: Mapping[str, Any]) -> dict[str, float]:
    """Right answers as the lineage of a compression has them. Every level has as many problems."""
    found = {
        f"right_level_{level}": _value(figures, f"{stack}_level_{level}")
        for level in LEVELS
        if f"{stack}_level_{level}" in figures
    }
    return {"right": sum(found.values()) / len(found)} | found | {"problems": float(config["asked"])}


def _value(figures: Mapping[str, Any], name: str) -> float:
    value = float(figures[name]["median"])
    if not isfinite(value):
        raise ValueError(f"{name} is {value}")
    return value


if __name__ == "__main__":
    try:
        ship(Path(sys.argv[1]), RESULTS / "stacked.json", SHIPPED_MODELS / NAME)
    except TuiliError as error:
        sys.exit(f"error: {error}")
