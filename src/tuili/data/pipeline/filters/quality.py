"""The quality filter: drops documents that a small classifier considers junk, with a threshold for each kind of text.

`pipeline.quality` computes the quality; `quality.yaml` holds the thresholds.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, SerializationInfo, field_serializer

from tuili.data.pipeline.block import PORTABLE, Block, BlockSettings, fingerprint
from tuili.data.pipeline.document import Document, Drop
from tuili.data.pipeline.quality.classifier import QualityClassifier
from tuili.data.pipeline.quality.storage import SHIPPED, read_classifier

Least = Annotated[float, Field(ge=0, le=1)]


class Reason(StrEnum):
    """Why the quality filter drops a document."""

    UNKNOWN_KIND = "unknown_kind"
    LOW_QUALITY = "low_quality"


@cache
def shipped_thresholds() -> dict[str, float | None]:
    """The minimum quality that Tuili ships, for each kind of text."""
    read: dict[str, float | None] = yaml.safe_load(Path(__file__).with_name("quality.yaml").read_text(encoding="utf-8"))
    return read


class QualitySettings(BlockSettings):
    """The filter of quality in a recipe."""

    block: Literal["quality"]
    weights: Path | None = Field(None, description="A classifier of one's own; by default the one that Tuili ships.")
    thresholds: dict[str, Least | None] = Field(
        {}, description="Changes to quality.yaml: the least quality by kind of text, or null not to judge the kind."
    )

    @field_serializer("weights")
    def _told(self, path: Path | None, info: SerializationInfo) -> Any:
        if info.context == PORTABLE:
            return fingerprint(path or SHIPPED)
        return None if path is None else str(path)

    def by_kind(self) -> dict[str, float | None]:
        """The minimum quality for each kind of text, with the recipe's changes."""
        return {**shipped_thresholds(), **self.thresholds}

    def build(self) -> QualityFilter:
        """Build the block. Raises `InputError` for a file that is not a classifier."""
        return QualityFilter(self.by_kind(), read_classifier(self.weights or SHIPPED))


class QualityFilter(Block):
    """Drops documents of low quality. Documents in a language unknown to the classifier pass without a measure."""

    name = "quality"
    Reason = Reason

    def __init__(self, thresholds: Mapping[str, float | None], classifier: QualityClassifier) -> None:
        self._thresholds, self._classifier = thresholds, classifier

    def apply(self, document: Document) -> Document | Drop | list[tuple[Document, Drop]]:
        """Return the document with its quality among its measures, perhaps with a drop."""
        if document.kind not in self._thresholds:
            return self.drop(Reason.UNKNOWN_KIND, kind=document.kind, known=", ".join(self._thresholds))
        quality = self._classifier.quality(document.words)
        if quality is None:
            return document
        quality, least = round(quality, 4), self._thresholds[document.kind]
        document = document.with_measures(quality=quality)
        if least is not None and quality < least:
            return [(document, self.drop(Reason.LOW_QUALITY, measured=quality, least=least))]
        return document
