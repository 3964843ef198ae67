"""Decontamination: what has questions of evaluation sets in it is dropped, so that a model is not measured on what it
has read.

By runs of 13 words, as GPT-3's authors did (arXiv 2005.14165, appendix C). How runs are found is left to `item_index`.
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
    """Why a document is dropped. What is measured names the item."""

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
        """The block. Raises `RecordError` for a file that cannot be read, or has no question that can be looked for."""
        block = Decontamination(chain(*map(file_items, self.against), own_items() if self.own else ()), self.ngram)
        for name in sorted(block.too_short.keys() & {path.name for path in self.against}):
            if block.too_short[name] == block.items[name]:
                raise RecordError(f"{name}: every question has too few words that are no numbers to be looked for")
        return block


class Decontamination(Block):
    """Drops what has a run of words in common with an evaluation item."""

    name = "decontaminate"
    Reason = Reason

    def __init__(self, items: Iterable[EvaluationItem], ngram: int = 13) -> None:
        known = list(items)
        self._index = ItemIndex(known, ngram)
        self.items = Counter(item.set_name for item in known)
        """How many items each set has, and how many of them are too short to be looked for."""
        self.too_short = Counter(item.set_name for item in self._index.too_short)

    def notes(self) -> list[str]:
        """The sets of which not all is looked for."""
        return [
            f"{count:,} of {self.items[name]:,} questions of {name} have too few words to be looked for"
            for name, count in sorted(self.too_short.items())
        ]

    def apply(self, document: Document) -> Document | Drop:
        """The document, or a drop with the item and the words that it has in common with it."""
        found = self._index.find(document.text)
        if found is None:
            return document
        return self.drop(Reason.CONTAMINATED, of=found.item, words=found.words, matched=found.text[:_SHOWN])
