"""The models in whole numbers by `tuili compress qat`, each in a folder of its own unless it is there.

An interrupted run goes on. Accuracy is left to the benchmark, so the verb measures none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from benchmarks.imported.source import tuili
from tuili.compress import QuantizeConfig, QuantizeRecipe
from tuili.config import load_recipe
from tuili.store import StoredModel, model_hash, read_lineage

WAYS: Mapping[str, tuple[str, ...]] = {
    "int8": ("quantize.numbers=int8",),
    "int8_cache": ("quantize.numbers=int8", "quantize.cache=int8"),
    "w4a8": ("quantize.numbers=w4a8",),
}
"""The numbers: changes to the recipe `quantize`."""


def quantised(parent: StoredModel, way: str, steps: int, seed: int, folder: Path, more: tuple[str, ...] = ()) -> Path:
    """The model of a way that has learnt in so many steps; with 0 of them, where no seed counts, it is only rounded."""
    seed = seed if steps else 1
    changes = [*WAYS[way], f"quantize.healing.steps={steps}", f"quantize.healing.seed={seed}", *more]
    run_folder = folder / f"{way}_{steps}_{seed}"
    wanted = load_recipe("quantize", changes, QuantizeRecipe).quantize
    if not _is_of(run_folder / "model", parent, wanted):
        print(f"bench: quantising {run_folder.name}", flush=True)
        resume = ["--resume"] if (run_folder / "run.json").is_file() else []
        tuili("compress", "qat", str(parent.path), *changes, "--problems", "0", "--out", str(run_folder), *resume)
    return run_folder / "model"


def _is_of(model: Path, parent: StoredModel, wanted: QuantizeConfig) -> bool:
    if not model.is_dir():
        return False
    entry = read_lineage(model)[-1]
    recipe = QuantizeConfig.model_validate_json(json.dumps(entry.recipe["quantize"]))
    return recipe == wanted and entry.parent == model_hash(parent.path)
