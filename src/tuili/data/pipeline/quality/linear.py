"""Training of the linear scores: logistic regression over the hashed features of documents.

A feature of few sources counts as unknown, and all unknown features of a group share a weight, because a new source has
as many unseen words as each training source has words of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tuili.data.pipeline.quality.classifier import Linear
from tuili.data.pipeline.quality.features import GROUPS
from tuili.native import Places

KNOWN_SHARE, KNOWN_LEAST, KNOWN_MOST = 0.35, 3, 12
"""The share of sources from which a feature counts as known, and the bounds on the resulting number of sources."""
EPOCHS, BATCH, RATE, PENALTY = 10, 128, 0.5, 1e-6
"""Epochs of AdaGrad, examples per step, the learning rate, and the weight of the L2 penalty."""
STARTS = np.concatenate([[0], np.cumsum(list(GROUPS.values()))])


class Row(NamedTuple):
    """A training example: its distinct features, and the share of its group that each makes up."""

    places: NDArray[np.int32]
    shares: NDArray[np.float32]
    good: bool
    source: str
    importance: float = 1.0


def row_of(features: Iterable[Places], good: bool, source: str) -> Row:
    """Build the training example for a document's features."""
    places, shares = list[NDArray[np.int32]](), list[NDArray[np.float32]]()
    for start, found in zip(STARTS.tolist(), features, strict=False):
        once, counts = np.unique(found, return_counts=True)
        places.append((once + start).astype(np.int32))
        shares.append((counts / max(1, len(found))).astype(np.float32))
    return Row(np.concatenate(places), np.concatenate(shares), good, source)


def scores(learnt: Linear, row: Row) -> list[float]:
    """The result of `Linear.scores` for the document of an example."""
    cuts = np.searchsorted(row.places, STARTS[1:-1])
    groups = zip(np.split(row.places, cuts), np.split(row.shares, cuts), STARTS.tolist(), strict=False)
    return [
        float(scale * (weights[places - start] @ shares))
        for weights, scale, (places, shares, start) in zip(learnt.weight_GP, learnt.scale_G, groups, strict=True)
    ]


def fit(rows: Sequence[Row]) -> Linear:
    """Fit the weights, rounded to eight bits."""
    places = np.concatenate([row.places for row in rows])
    sources = len({row.source for row in rows})
    known = _sources(rows) >= min(max(KNOWN_LEAST, int(KNOWN_SHARE * sources)), KNOWN_MOST)
    groups = np.searchsorted(STARTS, np.arange(STARTS[-1]), side="right") - 1
    column = np.where(known, np.cumsum(known) - 1 + len(GROUPS), groups)  # first the unknown features of each group
    weights, _ = minimise(column[places].astype(np.int32), rows, len(GROUPS) + int(known.sum()))
    tables = np.split(weights[column], STARTS[1:-1])
    scales = np.array([max(float(np.abs(table).max()), 1e-9) / 127 for table in tables], np.float32)
    rounded = (np.round(table / scale).astype(np.int8) for table, scale in zip(tables, scales, strict=True))
    return Linear(tuple(rounded), scales)


def _sources(rows: Sequence[Row]) -> NDArray[np.intp]:
    """The number of sources that have each feature [positions of all groups]."""
    of_source = defaultdict[str, list[NDArray[np.int32]]](list)
    for row in rows:
        of_source[row.source].append(row.places)
    counts = np.zeros(STARTS[-1], np.intp)
    for places in of_source.values():
        counts[np.unique(np.concatenate(places))] += 1
    return counts


def minimise(columns: NDArray[np.int32], rows: Sequence[Row], count: int) -> tuple[NDArray[np.float64], float]:
    """Find weights of the columns and a bias that nearly minimise the loss. Good documents weigh as much as junk."""
    good = np.array([row.good for row in rows], np.float64)
    importance = np.array([row.importance for row in rows])
    importance *= np.where(good == 1, 0.5 / importance[good == 1].sum(), 0.5 / importance[good == 0].sum()) * len(rows)
    bounds = np.concatenate([[0], np.cumsum([len(row.places) for row in rows])])
    weights, bias, square, bias_square = np.zeros(count), 0.0, np.full(count, 1e-8), 1e-8
    rng = np.random.default_rng(0)
    for epoch in range(EPOCHS):
        rate = RATE * (1 - epoch / EPOCHS)
        for batch in np.array_split(rng.permutation(len(rows)), max(1, len(rows) // BATCH)):
            here = np.concatenate([columns[bounds[one] : bounds[one + 1]] for one in batch])
            shares = np.concatenate([rows[one].shares for one in batch])
            lengths = bounds[batch + 1] - bounds[batch]
            starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
            logits = np.add.reduceat(weights[here] * shares, starts) + bias
            errors = importance[batch] * (1 / (1 + np.exp(-np.clip(logits, -50, 50))) - good[batch]) / len(batch)
            slope = np.bincount(here, np.repeat(errors, lengths) * shares, minlength=count) + PENALTY * weights
            square += slope**2
            weights -= rate * slope / np.sqrt(square)
            bias_slope = float(errors.sum())
            bias_square += bias_slope**2
            bias -= rate * bias_slope / bias_square**0.5
    return weights, bias
