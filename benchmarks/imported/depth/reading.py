"""What the engine predicts of given answers, with tokens leaving at a confidence, and the layers that ran for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

from benchmarks.harness.cells import Cells
from benchmarks.imported.quality.ours import Ours
from tuili.engine import Numbers

BATCH = 20
"""Texts that are read together."""
Counts = Mapping[str, float]
"""`tokens` of answers, how many of them were `right`, and the `layers` that ran for them."""
Pairs = Sequence[tuple[Sequence[int], Sequence[int]]]


def read(cells: Cells, name: str, ours: Ours, numbers: Numbers, pairs: Pairs, threshold: float | None) -> Counts:
    """The counts of all answers, at full depth or with tokens leaving at a threshold. A batch is a cell of the name."""
    total = {"tokens": 0.0, "right": 0.0, "layers": 0.0}
    depth: Any = ours.full if threshold is None else "auto"

    def counted(batch: Pairs) -> dict[str, float]:
        found = ours.read_forced(batch, numbers, depth, threshold)
        both = [(one, token) for text in found for one, token in zip(text.chosen, text.response, strict=True)]
        layers = sum(sum(text.depths) for text in found)
        return {"tokens": len(both), "right": sum(one == token for one, token in both), "layers": layers}

    for first in range(0, len(pairs), BATCH):
        key = f"{name}/{'full' if threshold is None else threshold}/{first}"
        cell = cells.get(key, partial(counted, pairs[first : first + BATCH]))
        total = {what: count + cell[what] for what, count in total.items()}
    return total


def accuracy(counts: Counts) -> float:
    """The share of tokens that were predicted."""
    return counts["right"] / counts["tokens"]


def between(rising: Sequence[Counts], share: float) -> dict[str, float]:
    """The counts where so large a share of the layers runs, on a line between the readings around it, the last of which
    is at full depth. Where all run more, those of the first."""
    most = rising[-1]["layers"]
    if rising[0]["layers"] >= share * most:
        return dict(rising[0])
    low, high = next(pair for pair in pairwise(rising) if pair[1]["layers"] >= share * most)
    way = (share * most - low["layers"]) / (high["layers"] - low["layers"])
    return {what: low[what] + way * (high[what] - low[what]) for what in low}
