"""The pruned models by `tuili compress prune`, each in a folder of its own unless it is there.

An interrupted run goes on. Accuracy is left to the benchmark, so the verb measures none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from benchmarks.imported.source import tuili
from tuili.compress import PruneConfig, PruneRecipe
from tuili.config import load_recipe
from tuili.store import LineageEntry, StoredModel, model_hash, read_lineage
from tuili.train import read_log

WAYS: Mapping[str, tuple[str, ...]] = {
    "activation": ("prune.share=0.3", "prune.by=activation"),
    "magnitude": ("prune.share=0.3", "prune.by=magnitude"),
    "activation_8": ("prune.share=0.3", "prune.by=activation", "prune.multiple=8"),
    "reap": ("prune.share=0", "prune.experts=8", "prune.experts_by=reap"),
    "frequency": ("prune.share=0", "prune.experts=8", "prune.experts_by=frequency"),
}
"""What is removed, and what tells which parts: changes to the recipe `prune`."""
Curve = list[tuple[int, float]]
"""Divergences from the parent in nats a token, each behind the tokens that had been read."""


def pruned(parent: StoredModel, way: str, steps: int, seed: int, folder: Path, more: tuple[str, ...] = ()) -> Path:
    """The model of a way that has recovered in so many steps; with 0 of them it is as it was cut, in one round."""
    changes = [*WAYS[way], f"prune.healing.steps={steps}", f"prune.healing.seed={seed}", *more]
    changes += [] if steps else ["prune.rounds=1"]
    run_folder = folder / f"{way}_{steps}_{seed}"
    wanted = load_recipe("prune", changes, PruneRecipe).prune
    if not _is_of(run_folder / "model", parent, wanted):
        print(f"bench: pruning {run_folder.name}", flush=True)
        resume = ["--resume"] if (run_folder / "run.json").is_file() else []
        tuili("compress", "prune", str(parent.path), *changes, "--problems", "0", "--out", str(run_folder), *resume)
    return run_folder / "model"


def recovery(model: Path) -> Curve:
    """How a model recovered."""
    return [(line["tokens"], line["loss"]) for line in read_log(model.parent)]


def last_entry(model: Path) -> LineageEntry:
    """What its lineage says of the pruning."""
    return read_lineage(model)[-1]


def _is_of(model: Path, parent: StoredModel, wanted: PruneConfig) -> bool:
    if not model.is_dir():
        return False
    entry = last_entry(model)
    recipe = PruneConfig.model_validate_json(json.dumps(entry.recipe["prune"]))
    return recipe == wanted and entry.parent == model_hash(parent.path)
