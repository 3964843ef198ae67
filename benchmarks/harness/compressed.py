"""Models by the verbs of `tuili compress`, each in a folder of its own unless it is there.

An interrupted run goes on. Accuracy is left to the benchmark, so the verb measures none.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from benchmarks.imported.source import tuili
from tuili.config import Config, load_recipe
from tuili.store import LineageEntry, StoredModel, model_hash, read_lineage
from tuili.train import read_log

Curve = list[tuple[int, float]]
"""Divergences from the parent in nats a token, each behind the tokens that had been read."""


def compressed(
    parent: StoredModel, verb: str, recipe: tuple[str, type[Config]], changes: Sequence[str], folder: Path
) -> Path:
    """The model that a verb makes of a parent in the folder of a run.

    recipe: the name of a shipped one, which is that of its section, and its schema. changes: to it.
    """
    section, schema = recipe
    wanted: Config = getattr(load_recipe(section, changes, schema), section)
    if not _is_of(folder / "model", parent, section, wanted):
        print(f"bench: {verb} {folder.name}", flush=True)
        resume = ["--resume"] if (folder / "run.json").is_file() else []
        tuili("compress", verb, str(parent.path), *changes, "--problems", "0", "--out", str(folder), *resume)
    return folder / "model"


def recovery(model: Path) -> Curve:
    """How a model recovered."""
    return [(line["tokens"], line["loss"]) for line in read_log(model.parent)]


def last_entry(model: Path) -> LineageEntry:
    """What its lineage says of the verb."""
    return read_lineage(model)[-1]


def _is_of(model: Path, parent: StoredModel, section: str, wanted: Config) -> bool:
    if not model.is_dir():
        return False
    entry = last_entry(model)
    recipe = dict(entry.recipe[section])
    begun_from = recipe.pop("teacher_hash", entry.parent)  # a student may have no weights of its teacher's
    return type(wanted).model_validate_json(json.dumps(recipe)) == wanted and begun_from == model_hash(parent.path)
