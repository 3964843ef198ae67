"""The stacks that are measured: chains of verbs of `tuili compress`, each link made of the model of the one before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness.compressed import DISTIL, FACTORISE, PRUNE, QAT, Verb, changes_of, compressed
from benchmarks.harness.planned import Planned


@dataclass(frozen=True)
class Link:
    """A verb with changes to its recipe and the steps of its recovery. name: in the folder of runs."""

    name: str
    verb: Verb
    changes: tuple[str, ...]
    steps: int


PRUNED = Link("pruned", PRUNE, ("prune.share=0.3",), 1000)
FACTORS = Link("factors", FACTORISE, ("factorise.keep=0.5",), 1000)
STUDENT = Link("student", DISTIL, ("distil.to.overrides.num_groups=2",), 4000)
_SMALL_SIZE = (
    "num_groups=2", "group_layers=1", "num_experts=4", "moe_intermediate_size=64", "intermediate_size=256",
)  # fmt: skip
SMALL = Link("small", DISTIL, ("distil.by=data", *(f"distil.to.overrides.{field}" for field in _SMALL_SIZE)), 8000)
"""Of `nano` a fifth of all parameters, in widths that groups of 32 divide: 1.37 MB in `w4a8`. It begins with its
teacher's layers and learns texts, which at equal compute gave more than its teacher's probabilities (docs/log.md)."""
INT8, W4A8 = (Link(numbers, QAT, (f"quantize.numbers={numbers}",), 500) for numbers in ("int8", "w4a8"))

PLANS = {"nano": Planned(("pico", "factors_int8"), (1,), 0)}
"""The steps are those of the links."""
STACKS: Mapping[str, tuple[Link, ...]] = {
    "factors_int8": (PRUNED, FACTORS, INT8),
    "student_int8": (PRUNED, STUDENT, INT8),
    "student_w4a8": (PRUNED, STUDENT, W4A8),
    "pico": (SMALL, W4A8),
}


def stacked(parent: Path, stack: str, scale: float, seed: int, folder: Path, more: tuple[str, ...] = ()) -> list[Path]:
    """The models of a stack, one of each link. Stacks that begin alike share what they begin with.

    scale: of the steps of each link. more: changes to the recipes of all verbs.
    """
    models, name = list[Path](), ""
    for link in STACKS[stack]:
        steps = max(1, round(scale * link.steps))
        name += f"{'+' if name else ''}{link.name}_{steps}"
        changes = (*link.changes, *changes_of(link.verb, more))
        begun = models[-1] if models else parent
        models.append(compressed(begun, link.verb, changes, steps, seed, folder / f"{name}_{seed}"))
    return models
