"""Training of the classifier from labelled documents, one language at a time.

The network must learn how far to trust scores and familiarity for unseen sources. Therefore, sources are divided into
folds, and the network's inputs for a document are computed without the documents of its fold. The same documents in the
same order give the same weights. The command decides what is read.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tuili.data.pipeline.filters.language import UNKNOWN, language_of
from tuili.data.pipeline.quality import linear, network
from tuili.data.pipeline.quality.classifier import UNTOLD_LANGUAGE, LanguageWeights, QualityClassifier
from tuili.data.pipeline.quality.familiarity import CLASSES, SIZES, Counting, Familiarity, measured, merged, table
from tuili.data.pipeline.quality.features import GROUPS, features_of
from tuili.data.pipeline.quality.measures import measures_of
from tuili.data.pipeline.words import Words
from tuili.errors import TooFew
from tuili.native import Hashes

FEWEST = 50
"""The minimum number of good documents, and of junk documents, for a language to be trained."""
BEGINNING = 60
"""The words at the beginning of a document that form an example of their own: short documents are judged, too."""
FOLDS = 4


class Labelled(NamedTuple):
    """A document, and whether it is good."""

    text: str
    good: bool
    source: str = ""
    """The origin that it shares with others: documents of a source have words in common. Empty if it has none."""


class _Example(NamedTuple):
    row: linear.Row
    words: Hashes
    neighbours: Hashes
    measures: list[float]
    fold: int


class _Material:
    """The data of a language: its examples, and in how many good documents of each fold each word and pair occurs."""

    def __init__(self) -> None:
        self.examples = list[_Example]()
        self.counting = {name: [Counting() for _ in range(FOLDS)] for name in SIZES}
        self.documents = [0, 0]

    def familiarity(self, without: int | None) -> Familiarity:
        """The tables for the good documents of all folds but one."""
        tables = {
            name: table(name, *merged([one for fold, one in enumerate(folds) if fold != without]))
            for name, folds in self.counting.items()
        }
        return Familiarity(**tables, expected_CC=np.zeros((CLASSES, CLASSES), np.float32))


def teach(documents: Iterable[Labelled], tell: Callable[[str], None] = lambda line: None) -> QualityClassifier:
    """Train a classifier for the languages of the documents. tell: called with a line about each language.

    Documents take about 40 bytes of memory per word. Raises `TooFew` if no language has `FEWEST` good documents and as
    many junk ones.
    """
    materials = defaultdict[str, _Material](_Material)
    given = [(one, _language(words)) for one in documents if len(words := Words(one.text)) >= 3]
    for (document, language), (source, fold) in zip(given, _deal(given), strict=True):
        words, material = Words(document.text), materials[language]
        material.documents[document.good] += 1
        if document.good:
            _count(material, words, fold)
        material.examples.append(_example(words, document.good, source, fold))
        short = Words(document.text[: int(words.ends[:BEGINNING][-1])])
        if 0 < len(short) < len(words):
            material.examples.append(_example(short, document.good, source, fold))
    taught = dict[str, LanguageWeights]()
    for language, material in sorted(materials.items()):
        junk, good = material.documents
        if min(junk, good) >= FEWEST:
            tell(f"{language}: {good:,} good documents, {junk:,} of junk")
            taught[language] = _fit(material)
        else:
            tell(f"{language}: not taught, as {good:,} good documents and {junk:,} of junk are too few")
    if not taught:
        raise TooFew(f"no language has {FEWEST} good documents and {FEWEST} of junk: name more of both")
    return QualityClassifier(taught)


def _deal(documents: Sequence[tuple[Labelled, str]]) -> list[tuple[str, int]]:
    """The source and the fold of each document. documents: with their languages.

    If a language has too few sources of either label to be divided, each of its documents is its own source.
    """
    names = [f"/{document.source}" if document.source else str(n) for n, (document, _) in enumerate(documents)]
    folds = {name: number % FOLDS for number, name in enumerate(dict.fromkeys(names))}
    sources = defaultdict[tuple[str, bool], set[str]](set)
    for (document, language), name in zip(documents, names, strict=True):
        sources[language, document.good].add(name)
    few = {language for (language, _), of in sources.items() if len(of) < 2 * FOLDS or len({*map(folds.get, of)}) == 1}
    dealt, counts = list[tuple[str, int]](), Counter[tuple[str, bool]]()
    for number, ((document, language), name) in enumerate(zip(documents, names, strict=True)):
        alone = counts[language, document.good] % FOLDS
        counts[language, document.good] += 1
        dealt.append((str(number), alone) if language in few else (name, folds[name]))
    return dealt


def _language(words: Words) -> str:
    name = language_of(words).name
    return UNTOLD_LANGUAGE if name == UNKNOWN else name


def _count(material: _Material, words: Words, fold: int) -> None:
    for name, hashes in zip(SIZES, (words.hashes, words.ngrams(2)), strict=True):
        material.counting[name][fold].add(hashes)


def _example(words: Words, good: bool, source: str, fold: int) -> _Example:
    measures = measures_of(words, language_of(words).function_words)
    row = linear.row_of(features_of(words), good, source)
    return _Example(row, words.hashes, words.ngrams(2), measures, fold)


def _fit(material: _Material) -> LanguageWeights:
    examples = material.examples
    sizes = Counter(example.row.source for example in examples)
    importance = np.array([sizes[example.row.source] ** -0.5 for example in examples])
    rows = [example.row._replace(importance=float(one)) for example, one in zip(examples, importance, strict=True)]
    scores = np.zeros((len(rows), len(GROUPS)))
    counts: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = [(np.zeros(0), np.zeros(0))] * len(rows)
    for fold in range(FOLDS):
        held = [number for number, example in enumerate(examples) if example.fold == fold]
        learnt = linear.fit([row for row, example in zip(rows, examples, strict=True) if example.fold != fold])
        familiar = material.familiarity(fold)
        for number in held:
            scores[number] = linear.scores(learnt, rows[number])
            counts[number] = familiar.counts(examples[number].words, examples[number].neighbours)
    good = np.array([row.good for row in rows])
    pairs = sum((counts[number][0] for number in np.flatnonzero(good).tolist()), np.zeros(CLASSES**2))
    known = sum((counts[number][1][0] for number in np.flatnonzero(good).tolist()), np.zeros(CLASSES**2))
    expected_CC = ((known + 0.1) / (pairs + 1)).reshape(CLASSES, CLASSES).astype(np.float32)
    measures = [[*measured(*count, expected_CC), *one.measures] for count, one in zip(counts, examples, strict=True)]
    whole = material.familiarity(None)
    return LanguageWeights(
        linear.fit(rows),
        Familiarity(whole.vocabulary, whole.neighbours, expected_CC),
        network.fit(np.concatenate([scores, measures], 1), good, importance),
    )
