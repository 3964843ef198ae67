"""The numbers that are measured, and the models in them by `tuili compress qat`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from benchmarks.harness.compressed import QAT, compressed
from benchmarks.harness.planned import Planned
from tuili.store import StoredModel

WAYS: Mapping[str, tuple[str, ...]] = {
    "int8": ("quantize.numbers=int8",),
    "int8_cache": ("quantize.numbers=int8", "quantize.cache=int8"),
    "w4a8": ("quantize.numbers=w4a8",),
    "w4a8_longer": ("quantize.numbers=w4a8",),
}
"""The numbers: changes to the recipe `quantize`."""
LONGER = {"w4a8_longer": 4}
"""How many times the steps of the others a way learns in. It is rounded as the way of the same numbers."""
PLANS = {
    "nano": Planned(("int8", "w4a8", "w4a8_longer"), (1,), 400),
    "quickstart": Planned(("int8", "w4a8"), (1, 2, 3), 250),
}


COMPENSATED = ("w4a8",)
"""The numbers in which weights make up for what rounding loses, unless they are to be rounded to the nearest."""


def quantised(
    parent: StoredModel,
    way: str,
    steps: int,
    seed: int,
    folder: Path,
    more: tuple[str, ...] = (),
    nearest: bool = False,
) -> Path:
    """The model of a way that has learnt in so many steps, times what `LONGER` says; with 0 of them, where no seed
    counts, it is only rounded.

    nearest: whether weights are rounded to the nearest number.
    """
    steps *= LONGER.get(way, 1)
    seed, label = seed if steps else 1, f"{way}_nearest" if nearest else way
    changes = (*WAYS[way], *(("quantize.rounding=nearest",) if nearest else ()), *more)
    return compressed(parent.path, QAT, changes, steps, seed, folder / f"{label}_{steps}_{seed}")
