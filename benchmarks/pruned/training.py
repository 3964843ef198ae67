"""The ways of pruning that are measured, and the models by `tuili compress prune`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from benchmarks.harness.compressed import PRUNE, compressed
from benchmarks.harness.planned import Planned
from tuili.store import StoredModel

WAYS: Mapping[str, tuple[str, ...]] = {
    "reconstruction": ("prune.share=0.3", "prune.multiple=8"),
    "reconstruction_longer": ("prune.share=0.3", "prune.multiple=8"),
    "reconstruction_rounds": ("prune.share=0.3", "prune.multiple=8", "prune.rounds=3"),
    "activation": ("prune.share=0.3", "prune.by=activation", "prune.multiple=8"),
    "magnitude": ("prune.share=0.3", "prune.by=magnitude", "prune.multiple=8"),
    "reconstruction_16": ("prune.share=0.3",),
    "reap": ("prune.share=0", "prune.experts=8", "prune.experts_by=reap"),
    "reap_longer": ("prune.share=0", "prune.experts=8", "prune.experts_by=reap"),
    "frequency": ("prune.share=0", "prune.experts=8", "prune.experts_by=frequency"),
}
"""What is removed, and what tells which parts: changes to the recipe `prune`. In multiples of 16, which are the
recipe's, the experts of `nano` lose 40% of their neurons, and in multiples of 8 the 30% that are asked for."""
LONGER = {"reconstruction_longer": 4, "reconstruction_rounds": 4, "reap_longer": 4}
"""How many times the steps of the others a way recovers in."""
PLANS = {
    "nano": Planned(tuple(way for way in WAYS if way != "reconstruction_rounds"), (1,), 800),
    "quickstart": Planned(("reconstruction", "activation", "magnitude", "reap", "frequency"), (1, 2, 3), 500),
}


def pruned(parent: StoredModel, way: str, steps: int, seed: int, folder: Path, more: tuple[str, ...] = ()) -> Path:
    """The model of a way that has recovered in so many steps, times what `LONGER` says; with 0 of them it is as it was
    cut, in one round."""
    steps *= LONGER.get(way, 1)
    changes = (*WAYS[way], *more, *(() if steps else ("prune.rounds=1",)))
    return compressed(parent.path, PRUNE, changes, steps, seed, folder / f"{way}_{steps}_{seed}")
