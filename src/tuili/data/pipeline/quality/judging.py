"""Evaluates a classifier on labelled documents: how many good ones it keeps, and how much junk it drops."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Self

from tuili.data.pipeline.quality.classifier import QualityClassifier
from tuili.data.pipeline.quality.teaching import Labelled
from tuili.data.pipeline.words import Words


class Confusion(NamedTuple):
    """Counts of documents by label and outcome."""

    good_kept: int = 0
    good_dropped: int = 0
    junk_kept: int = 0
    junk_dropped: int = 0

    @classmethod
    def of(cls, outcomes: Iterable[tuple[bool, bool]]) -> Self:
        """Count pairs: whether a document is good, and whether it was kept."""
        counts = [0, 0, 0, 0]
        for good, kept in outcomes:
            counts[2 * (not good) + (not kept)] += 1
        return cls(*counts)

    @property
    def f1_good(self) -> float:
        """The F1 of keeping good documents: the harmonic mean of recall and precision."""
        return _f1(self.good_kept, self.good_dropped + self.junk_kept)

    @property
    def f1_junk(self) -> float:
        """The F1 of dropping junk."""
        return _f1(self.junk_dropped, self.good_dropped + self.junk_kept)

    @property
    def good_lost(self) -> float:
        """The share of good documents that are dropped."""
        return self.good_dropped / max(1, self.good_kept + self.good_dropped)

    @property
    def junk_left(self) -> float:
        """The share of junk that is kept."""
        return self.junk_kept / max(1, self.junk_kept + self.junk_dropped)


def judge(classifier: QualityClassifier, documents: Iterable[Labelled], least: float = 0.5) -> Confusion:
    """Apply a classifier to labelled documents. Documents in a language unknown to it count as kept."""

    def kept(text: str) -> bool:
        quality = classifier.quality(Words(text))
        return quality is None or quality >= least

    return Confusion.of((document.good, kept(document.text)) for document in documents)


def _f1(right: int, wrong: int) -> float:
    return 2 * right / max(1, 2 * right + wrong)
