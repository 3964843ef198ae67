"""The factorised models by `tuili compress factorise`, each in a folder of its own unless it is there.

An interrupted run goes on. Accuracy is left to the benchmark, so the verb measures none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from benchmarks.imported.source import tuili
from tuili.compress import FactoriseConfig, FactoriseRecipe
from tuili.config import load_recipe
from tuili.store import LineageEntry, StoredModel, model_hash, read_lineage
from tuili.train import read_log

WAYS: Mapping[str, tuple[str, ...]] = {
    "dynamic": (),
    "uniform": ("factorise.ranks=uniform",),
    "plain": ("factorise.by=plain",),
    "uniform_plain": ("factorise.ranks=uniform", "factorise.by=plain"),
    "separate": ("factorise.bases=separate",),
    "shared": ("factorise.bases=shared",),
}
"""How ranks are chosen, factors are found, and experts have them: changes to the recipe `factorise`."""
Curve = list[tuple[int, float]]
"""Divergences from the parent in nats a token, each behind the tokens that had been read."""


def factorised(
    parent: StoredModel, way: str, keep: float, steps: int, seed: int, folder: Path, more: tuple[str, ...] = ()
) -> Path:
    """The model of a way that has recovered in so many steps; with 0 of them it is as its factors came."""
    healing = [f"factorise.healing.steps={steps}", f"factorise.healing.seed={seed}"]
    changes = [f"factorise.keep={keep}", *WAYS[way], *healing, *more]
    run_folder = folder / f"{way}_{keep:g}_{steps}_{seed}"
    wanted = load_recipe("factorise", changes, FactoriseRecipe).factorise
    if not _is_of(run_folder / "model", parent, wanted):
        print(f"bench: factorising {run_folder.name}", flush=True)
        resume = ["--resume"] if (run_folder / "run.json").is_file() else []
        tuili("compress", "factorise", str(parent.path), *changes, "--problems", "0", "--out", str(run_folder), *resume)
    return run_folder / "model"


def recovery(model: Path) -> Curve:
    """How a model recovered."""
    return [(line["tokens"], line["loss"]) for line in read_log(model.parent)]


def last_entry(model: Path) -> LineageEntry:
    """What its lineage says of the factorisation."""
    return read_lineage(model)[-1]


def _is_of(model: Path, parent: StoredModel, wanted: FactoriseConfig) -> bool:
    if not model.is_dir():
        return False
    entry = last_entry(model)
    recipe = FactoriseConfig.model_validate_json(json.dumps(entry.recipe["factorise"]))
    return recipe == wanted and entry.parent == model_hash(parent.path)
