"""Decontamination: drops documents that contain questions of evaluation sets, so that a model is not measured on what
it has read.

Matches are runs of 13 words, as used for GPT-3 (arXiv 2005.14165, appendix C). `item_index` finds the runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, SerializationInfo, field_serializer, model_validator

from tuili.data.pipeline.block import PORTABLE, Block, BlockSettings, fingerprint
from tuili.data.pipeline.dedup.evaluation_items import EvaluationItem, file_items, own_items
from tuili.data.pipeline.dedup.item_index import SHORTEST_RUN, ItemIndex
from tuili.data.pipeline.document import Document, Drop
from tuili.errors import RecordError

_SHOWN = 120


class Reason(StrEnum):
    """Why a document is dropped. The measured values name the item."""

    CONTAMINATED = "contaminated"


class DecontaminationSettings(BlockSettings):
    """Decontamination in a recipe."""

    block: Literal["decontaminate"]
    against: tuple[Path, ...] = Field(
        (), description="Files of evaluation sets: JSONL, Parquet, or text with an item a line."
    )
    own: bool = Field(True, description="Whether the forms that Tuili's own tests hold out are an evaluation set, too.")
    ngram: int = Field(13, ge=SHORTEST_RUN, le=50, description="Words of a run, or characters in Chinese.")

    @model_validator(mode="after")
    def _has_items(self) -> Self:
        if not (self.own or self.against):
            raise ValueError("against is empty and own is false: name a file of questions")
        return self

    @field_serializer("against")
    def _told(self, paths: tuple[Path, ...], info: SerializationInfo) -> list[Any]:
        return [fingerprint(path) if info.context == PORTABLE else str(path) for path in paths]

    def build(self) -> Decontamination:
        """Build the block. Raises `RecordError` for a file that cannot be read, or has no question to search for."""
        block = Decontamination(chain(*map(file_items, self.against), own_items() if self.own else ()), self.ngram)
        for name in sorted(block.too_short.keys() & {path.name for path in self.against}):
            if block.too_short[name] == block.items[name]:
                raise RecordError(f"{name}: every question has too few words that are no numbers to be looked for")
        return block


class Decontamination(Block):
    """Drops a document that has a run of words in common with an evaluation item."""

    name = "decontaminate"
    Reason = Reason

    def __init__(self, items: Iterable[EvaluationItem], ngram: int = 13) -> None:
        known = list(items)
        self._index = ItemIndex(known, ngram)
        self.items = Counter(item.set_name for item in known)
        """The number of items in each set, and the number of those that are too short to be searched for."""
        self.too_short = Counter(item.set_name for item in self._index.too_short)

    def notes(self) -> list[str]:
        """A note for each set with items that are too short to be searched for."""
        return [
            f"{count:,} of {self.items[name]:,} questions of {name} have too few words to be looked for"
            for name, count in sorted(self.too_short.items())
        ]

    def apply(self, document: Document) -> Document | Drop:
        """Return the document, or a drop with the item and the words that both have in common."""
        found = self._index.find(document.text)
        if found is None:
            return document
        return self.drop(Reason.CONTAMINATED, of=found.item, words=found.words, matched=found.text[:_SHOWN])
