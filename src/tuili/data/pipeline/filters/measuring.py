"""A block that records every measure of the basic filter and drops nothing. It serves to find thresholds."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from tuili.data.pipeline.block import Block, BlockSettings
from tuili.data.pipeline.document import Document
from tuili.data.pipeline.filters.basic import LENGTH_RULES, LETTERS_RULES, RULES
from tuili.data.pipeline.filters.language import language_of


class Measuring(StrEnum):
    """It drops nothing."""


class MeasuringSettings(BlockSettings):
    """The measures in a recipe."""

    block: Literal["measure"]

    def build(self) -> MeasuringBlock:
        """Build the block."""
        return MeasuringBlock()


class MeasuringBlock(Block):
    """Records what each rule of the basic filter would measure, by the name of the measure."""

    name = "measure"
    Reason = Measuring

    def apply(self, document: Document) -> Document:
        """Return the document with its measures, and with its language in the metadata."""
        words = document.words
        rules = [*LENGTH_RULES[:1], *LETTERS_RULES[:1], *RULES] if len(words) else LENGTH_RULES[:1]
        found = {rule.measure.__name__: round(rule.measure(words), 4) for rule in rules}
        language = language_of(words)
        found["function_words"] = round(language.function_words, 4)
        return document.with_measures(**found).with_metadata(detected_language=language.name)
