"""Teaching the classifier: logistic regression over the features of labelled documents, a language at a time.

Good documents weigh as much as junk, however many there are. A feature of few sources counts as unknown, and all
unknown ones share a weight: a new source is as full of words that were never met as each source here is of words of
its own. The same documents in the same order give the same weights. What is read is left to the command.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tuili.data.pipeline.filters.language import UNKNOWN, language_of
from tuili.data.pipeline.quality.classifier import UNTOLD_LANGUAGE, LanguageWeights, QualityClassifier
from tuili.data.pipeline.quality.features import GROUPS, features_of
from tuili.data.pipeline.words import Places, Words
from tuili.errors import TooFew

FEWEST = 50
"""A language is taught by so many good documents and as much junk at least."""
KNOWN_SHARE, KNOWN_LEAST, KNOWN_MOST = 0.35, 3, 25
"""A feature counts as known from this share of the sources on, or so many sources, within these bounds."""
BEGINNING = 60
"""Words of the beginning of a document, which is an example of its own: short documents are judged, too."""
STEPS, RATE, PENALTY = 200, 0.3, 1e-5
"""Steps of Adam (arXiv 1412.6980) over all examples, its first rate, which falls to none, and the weight of the sum of
squares in the loss."""
_STARTS = np.concatenate([[0], np.cumsum(list(GROUPS.values()))])


class Labelled(NamedTuple):
    """A document, and whether it is good."""

    text: str
    good: bool
    source: str = ""
    """Where it comes from, as others do: documents of a source have words in common. None for one by itself."""


class _Row(NamedTuple):
    """An example: its features, each once, and the share of its group that each makes up."""

    places: NDArray[np.int32]
    shares: NDArray[np.float32]
    good: bool
    source: str


def teach(documents: Iterable[Labelled], tell: Callable[[str], None] = lambda line: None) -> QualityClassifier:
    """A classifier of the languages of the documents. tell: called with a line about each language.

    Documents take about 12 bytes of memory for each word and example. Raises `TooFew` where there is no language with
    `FEWEST` good documents and as much junk.
    """
    rows = defaultdict[str, list[_Row]](list)
    counts = defaultdict[str, list[int]](lambda: [0, 0])
    for number, document in enumerate(documents):
        words = Words(document.text)
        name = language_of(words).name
        language = UNTOLD_LANGUAGE if name == UNKNOWN else name
        found = features_of(words)
        if len(found[-1]):
            counts[language][document.good] += 1
            examples = (found, [places[:BEGINNING] for places in found])
            source = f"/{document.source}" if document.source else str(number)
            rows[language] += [_row(features, document.good, source) for features in examples]
    taught = dict[str, LanguageWeights]()
    for language, (junk, good) in sorted(counts.items()):
        if min(junk, good) >= FEWEST:
            tell(f"{language}: {good:,} good documents, {junk:,} of junk")
            taught[language] = _fit(rows.pop(language))
        else:
            tell(f"{language}: not taught, as {good:,} good documents and {junk:,} of junk are too few")
    if not taught:
        raise TooFew(f"no language has {FEWEST} good documents and {FEWEST} of junk: name more of both")
    return QualityClassifier(taught)


def _row(features: Iterable[Places], good: bool, source: str) -> _Row:
    places, shares = list[NDArray[np.int32]](), list[NDArray[np.float32]]()
    for start, found in zip(_STARTS.tolist(), features, strict=False):
        once, counts = np.unique(found, return_counts=True)
        places.append((once + start).astype(np.int32))
        shares.append((counts / len(found)).astype(np.float32))
    return _Row(np.concatenate(places), np.concatenate(shares), good, source)


def _fit(rows: list[_Row]) -> LanguageWeights:
    """The weights of a language, rounded to eight bits."""
    places = np.concatenate([row.places for row in rows])
    sources = len({row.source for row in rows})
    known = _sources(rows) >= min(max(KNOWN_LEAST, int(KNOWN_SHARE * sources)), KNOWN_MOST)
    groups = np.searchsorted(_STARTS, np.arange(_STARTS[-1]), side="right") - 1
    column = np.where(known, np.cumsum(known) - 1 + len(GROUPS), groups)  # the first ones are the unknown of a group
    weights, bias = _minimise(column[places].astype(np.int32), rows, len(GROUPS) + int(known.sum()))
    tables = np.split(weights[column], _STARTS[1:-1])
    scales = np.array([max(float(np.abs(table).max()), 1e-9) / 127 for table in tables], np.float32)
    rounded = (np.round(table / scale).astype(np.int8) for table, scale in zip(tables, scales, strict=True))
    return LanguageWeights(tuple(rounded), scales, bias)


def _sources(rows: list[_Row]) -> NDArray[np.intp]:
    """How many sources have each feature [places of all groups]."""
    of_source = defaultdict[str, list[NDArray[np.int32]]](list)
    for row in rows:
        of_source[row.source].append(row.places)
    return np.bincount(
        np.concatenate([np.unique(np.concatenate(places)) for places in of_source.values()]), minlength=_STARTS[-1]
    )


def _minimise(columns: NDArray[np.int32], rows: list[_Row], count: int) -> tuple[NDArray[np.float64], float]:
    """The weights of the columns and the bias with the least loss."""
    shares = np.concatenate([row.shares for row in rows])
    lengths = np.array([len(row.places) for row in rows])
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    good = np.array([row.good for row in rows], np.float64)
    importance = np.where(good == 1, 0.5 / good.sum(), 0.5 / (1 - good).sum())
    weights, mean, square = np.zeros((3, count + 1))  # the last one is the bias
    for step in range(1, STEPS + 1):
        logits = np.add.reduceat(weights[columns] * shares, starts) + weights[-1]
        errors = importance * (1 / (1 + np.exp(-np.clip(logits, -50, 50))) - good)
        slope = np.bincount(columns, np.repeat(errors, lengths) * shares, minlength=count + 1) + PENALTY * weights
        slope[-1] = errors.sum()
        mean += 0.1 * (slope - mean)
        square += 0.01 * (slope**2 - square)
        rate = RATE * (1 - (step - 1) / STEPS)
        weights -= rate * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.99**step)) + 1e-12)
    return weights[:-1], float(weights[-1])
