"""The ways of distilling that are measured, and the students by `tuili compress distil`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from benchmarks.harness.compressed import compressed
from tuili.compress import DistilRecipe
from tuili.store import Parameters, StoredModel

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
    return compressed(teacher, "distil", ("distil", DistilRecipe), changes, folder / f"{way}_{steps}_{seed}")
