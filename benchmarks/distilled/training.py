"""The ways of distilling that are measured, at equal compute, and the students by `tuili compress distil`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness.compressed import DISTIL, compressed
from benchmarks.harness.planned import Planned
from tuili.store import Parameters, StoredModel

WAYS: Mapping[str, tuple[str, ...]] = {
    "masked": (),
    "unmasked": ("distil.mask=false",),
    "chains": ("distil.on_policy=0",),
    "texts": ("distil.source=texts", "distil.on_policy=0"),
    "texts_longer": ("distil.source=texts", "distil.on_policy=0"),
    "sequence": ("distil.by=sequence",),
    "untaught": ("distil.by=data",),
    "untaught_longer": ("distil.by=data",),
    "new": (
        "distil.by=data",
        "distil.layers=new",
        "distil.healing.optimizer=muon",
        "distil.healing.learning_rate=4e-3",
    ),
}
"""What a student learns from: changes to the recipe `distil`. In `new`, nothing at all is its teacher's; it learns as
its teacher was trained, by Muon at that rate."""
OF_TEACHER = ("masked", "unmasked", "chains", "texts", "texts_longer")
"""The ways that are by the teacher's probabilities, of which a log has divergences."""
LONGER = {"texts_longer": 4, "untaught_longer": 4}
"""How many times the compute of the others a way has."""
PLANS = {
    "nano": Planned(
        ("masked", "unmasked", "untaught", "new", "texts", "texts_longer", "untaught_longer", "sequence"), (1,), 1600
    ),
    "quickstart": Planned(("masked", "unmasked", "untaught", "new", "texts"), (1, 2, 3), 600),
}
"""The steps are those of `masked`; the others' are of equal compute, times what `LONGER` says."""
SIZES = {
    "nano": (
        "num_groups=1", "group_layers=1", "num_experts=4", "moe_intermediate_size=32", "intermediate_size=208",
    ),
    "quickstart": (
        "num_groups=1", "num_attention_heads=3", "num_key_value_heads=1", "num_experts=4", "moe_intermediate_size=16",
        "intermediate_size=64",
    ),
}  # fmt: skip
"""The student of each teacher, whose embedding is counted apart: a tenth of all parameters, a third of the active ones
at most."""


@dataclass(frozen=True)
class Size:
    """Parameters of a model, and of its head, which learnt tokens alone use."""

    parameters: Parameters
    head: int

    def products(self, learnt: float, depth: float = 1.0) -> float:
        """Products of a forward pass for a token of a row. learnt: the share of tokens that are. depth: of the layers
        behind the trunk, the share that a learnt token runs through on average; others do not come there."""
        behind = self.parameters.active - self.parameters.active_trunk
        return self.parameters.active_trunk - self.head + learnt * (self.head + depth * behind)


def products_of(way: str, student: Size, teacher: Size, learnt: float, depth: float, on_policy: float) -> float:
    """Products of a step of a way, for a token of its rows: three passes of the student that learns at its exits, one
    of its teacher where it predicts, and one of whoever writes.

    depth: see `Size.products`, of the student where it learns. on_policy: the share of steps on what it writes.
    """
    own = on_policy if way in ("masked", "unmasked") else 0.0
    of_teacher = 1 - own if way in ("masked", "unmasked", "chains", "sequence") else 0.0
    predicts = 1.0 if way in OF_TEACHER else 0.0
    passes = 3 * student.products(learnt, depth) + (predicts + of_teacher) * teacher.products(learnt)
    return passes + own * student.products(learnt)


def distilled(
    teacher: StoredModel, to: tuple[str, ...], way: str, steps: int, seed: int, folder: Path, more: tuple[str, ...] = ()
) -> Path:
    """The student of a way that has learnt for so many steps. to: fields of its size."""
    sizes = [f"distil.to.overrides.{field}" for field in to]
    return compressed(teacher.path, DISTIL, (*sizes, *WAYS[way], *more), steps, seed, folder / f"{way}_{steps}_{seed}")
