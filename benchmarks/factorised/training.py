"""The ways of factorising that are measured, and the models by `tuili compress factorise`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from benchmarks.harness.compressed import FACTORISE, compressed
from benchmarks.harness.planned import Planned
from tuili.store import StoredModel

FAST = "factorise.healing.learning_rate=5e-4"
"""A rate for what has little left of its parent."""
WAYS: Mapping[str, tuple[str, ...]] = {
    "dynamic": (),
    "dynamic_longer": (),
    "uniform": ("factorise.ranks=uniform",),
    "uniform_fast": ("factorise.ranks=uniform", FAST),
    "plain": ("factorise.by=plain",),
    "uniform_plain": ("factorise.ranks=uniform", "factorise.by=plain"),
    "separate": ("factorise.bases=separate",),
    "shared": ("factorise.bases=shared",),
}
"""How ranks are chosen, factors are found, and experts have them: changes to the recipe `factorise`."""
SAME_FACTORS = {"dynamic_longer": "dynamic", "uniform_fast": "uniform"}
"""Ways whose factors come as those of another one, and that recover in another way."""
LONGER = {"dynamic_longer": 4}
"""How many times the steps of the others a way recovers in."""
PLANS = {
    "nano": Planned(("dynamic", "uniform_fast", "dynamic_longer"), (1,), 1500, ("plain", "separate", "shared")),
    "quickstart": Planned(("dynamic", "uniform", "uniform_fast", "plain"), (1, 2, 3), 500, ("separate", "shared")),
}


def factorised(
    parent: StoredModel, way: str, keep: float, steps: int, seed: int, folder: Path, more: tuple[str, ...] = ()
) -> Path:
    """The model of a way that has recovered in so many steps, times what `LONGER` says; with 0 of them it is as its
    factors came."""
    steps *= LONGER.get(way, 1)
    changes = (f"factorise.keep={keep}", *WAYS[way], *more)
    return compressed(parent.path, FACTORISE, changes, steps, seed, folder / f"{way}_{keep:g}_{steps}_{seed}")
