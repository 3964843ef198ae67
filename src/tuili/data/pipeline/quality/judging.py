"""How well labelled documents are told: how many good ones are kept, and how much junk is dropped."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Self

from tuili.data.pipeline.quality.classifier import QualityClassifier
from tuili.data.pipeline.quality.teaching import Labelled
from tuili.data.pipeline.words import Words


class Confusion(NamedTuple):
    """Documents by what they are and what became of them."""

    good_kept: int = 0
    good_dropped: int = 0
    junk_kept: int = 0
    junk_dropped: int = 0

    @classmethod
    def of(cls, outcomes: Iterable[tuple[bool, bool]]) -> Self:
        """Counted from pairs: whether a document is good, and whether it was kept."""
        counts = [0, 0, 0, 0]
        for good, kept in outcomes:
            counts[2 * (not good) + (not kept)] += 1
        return cls(*counts)

    @property
    def f1_good(self) -> float:
        """The harmonic mean of the share of good documents that is kept, and the share of what is kept that is good."""
        return _f1(self.good_kept, self.good_dropped + self.junk_kept)

    @property
    def f1_junk(self) -> float:
        """The same of junk that is dropped."""
        return _f1(self.junk_dropped, self.good_dropped + self.junk_kept)

    @property
    def good_lost(self) -> float:
        """The share of good documents that is dropped."""
        return self.good_dropped / max(1, self.good_kept + self.good_dropped)

    @property
    def junk_left(self) -> float:
        """The share of junk that is kept."""
        return self.junk_kept / max(1, self.junk_kept + self.junk_dropped)


def judge(classifier: QualityClassifier, documents: Iterable[Labelled], least: float = 0.5) -> Confusion:
    """What a classifier does to labelled documents; those of a language that it does not know are kept."""

    def kept(text: str) -> bool:
        quality = classifier.quality(Words(text))
        return quality is None or quality >= least

    return Confusion.of((document.good, kept(document.text)) for document in documents)


def _f1(right: int, wrong: int) -> float:
    return 2 * right / max(1, 2 * right + wrong)
