"""The models that are taught for the benchmark: the one that ships, one of an hour, and others to compare them with.

Each is trained by `tuili train smollm2-math` unless it is there, and goes on after an interruption.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from os.path import relpath
from pathlib import Path

from benchmarks.harness.runs import made
from benchmarks.imported.taught.data import TaughtData
from tuili.config import load_recipe
from tuili.posttrain import TeachingRecipe
from tuili.store import ImportedModel, LineageEntry, model_hash, open_model

RECIPE = "smollm2-math"
LONG = ("teach.steps=3000", "teach.first_layer=8", "teach.rank=24")
HOUR = ("teach.steps=1000", "teach.first_layer=8", "teach.rank=24")
"""An hour of two cores."""
PROSE = ("teach.response=prose", "teach.data.domains=[]", "teach.rows=4", "teach.length=512")
"""As many tokens a step, in rows that its longest answers fit in."""


def weights(data: TaughtData, kind: str) -> dict[Path, float]:
    """The files of a kind of teaching, with their weights."""
    if kind == "prose":
        return {data.gsm8k: 1.0}
    multiplied = {data.multiplied["mawps"]: 2.0, data.multiplied["gsm8k"]: 1.25}
    return {data.mawps: 0.75, data.gsm8k: 1.0} | multiplied


CHANGES: Mapping[str, Sequence[str]] = {"long": LONG, "hour": HOUR, "prose": (*HOUR, *PROSE)}


def taught(base: ImportedModel, kind: str, data: TaughtData, folder: Path) -> ImportedModel:
    """The model of a kind, taught in `folder`/taught_KIND unless it is there."""
    watched = [data.tests["gsm8k"]] if kind == "prose" else [data.tests["mawps_dev"], data.tests["gsm8k"]]
    return train(base, weights(data, kind), watched, CHANGES[kind], folder / f"taught_{kind}")


def train(
    base: ImportedModel, files: Mapping[Path, float], watched: Sequence[Path], more: Sequence[str], run_folder: Path
) -> ImportedModel:
    """The model that the recipe makes of a base with files, validation files and more changes, unless it is there.

    Names are relative to the working folder, so that a run may be gone on with in another place.
    """
    weighted = {relpath(file): weight for file, weight in files.items()}
    changes = [
        f"teach.model={relpath(base.path)}",
        f"teach.data.files={json.dumps(weighted)}",
        f"teach.data.validation={json.dumps([relpath(file) for file in watched])}",
        *more,
    ]
    wanted = load_recipe(RECIPE, changes, TeachingRecipe)

    def is_of(entry: LineageEntry) -> bool:
        recipe = TeachingRecipe.model_validate_json(json.dumps(entry.recipe))
        return recipe == wanted and entry.parent == model_hash(base.path)

    opened = open_model(made(run_folder, is_of, "train", RECIPE, *changes))
    assert isinstance(opened, ImportedModel)
    return opened
