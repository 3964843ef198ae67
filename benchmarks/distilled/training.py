"""The students by `tuili compress distil`, each in a folder of its own unless it is there.

An interrupted run goes on. Accuracy is left to the benchmark, so the verb measures none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from benchmarks.imported.source import tuili
from tuili.compress import DistilConfig, DistilRecipe
from tuili.config import load_recipe
from tuili.store import LineageEntry, Parameters, StoredModel, model_hash, read_lineage

WAYS: Mapping[str, tuple[str, ...]] = {
    "masked": (),
    "unmasked": ("distil.mask=false",),
    "texts": ("distil.on_policy=0",),
    "sequence": ("distil.by=sequence",),
    "untaught": ("distil.by=data", "distil.layers=new"),
}
"""What a student learns from: changes to the recipe `distil`."""
WITHOUT_TEACHER = ("sequence", "untaught")
"""Their steps need no predictions of the teacher, so they take more of them."""


def equal_steps(way: str, steps: int, student: Parameters, teacher: Parameters) -> int:
    """How many steps take as many products as so many with a teacher: 6 for each of the student's active parameters and
    tokens, and 2 for each of the teacher's. What is written is not counted."""
    own = 6 * student.active
    return round(steps * (own + 2 * teacher.active) / own) if way in WITHOUT_TEACHER else steps


def distilled(
    teacher: StoredModel, to: tuple[str, ...], way: str, steps: int, seed: int, folder: Path, more: tuple[str, ...] = ()
) -> Path:
    """The student of a way that has learnt for so many steps. to: fields of its size."""
    sizes = [f"distil.to.overrides.{field}" for field in to]
    changes = [*sizes, *WAYS[way], f"distil.healing.steps={steps}", f"distil.healing.seed={seed}", *more]
    run_folder = folder / f"{way}_{steps}_{seed}"
    wanted = load_recipe("distil", changes, DistilRecipe).distil
    if not _is_of(run_folder / "model", teacher, wanted):
        print(f"bench: distilling {run_folder.name}", flush=True)
        resume = ["--resume"] if (run_folder / "run.json").is_file() else []
        tuili("compress", "distil", str(teacher.path), *changes, "--problems", "0", "--out", str(run_folder), *resume)
    return run_folder / "model"


def last_entry(model: Path) -> LineageEntry:
    """What its lineage says of the distillation."""
    return read_lineage(model)[-1]


def _is_of(model: Path, teacher: StoredModel, wanted: DistilConfig) -> bool:
    if not model.is_dir():
        return False
    entry = last_entry(model)
    recipe = DistilConfig.model_validate_json(json.dumps(entry.recipe["distil"]))
    return recipe == wanted and entry.parent == model_hash(teacher.path)
