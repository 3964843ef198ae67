"""The rules that FineWeb adds to those of C4 and Gopher (arXiv 2406.17557, section 3.5), with the published
thresholds.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from tuili.data.pipeline.block import Block, BlockSettings
from tuili.data.pipeline.document import Document, Drop
from tuili.data.pipeline.filters.repetition import repeated_characters

_ENDS = (".", "!", "?", "。", "！", "？", "…", '"', "”", "'", "’")


class Reason(StrEnum):
    """Why FineWeb drops a document."""

    EMPTY = "empty"
    FEW_ENDED = "line_punct_ratio"
    SHORT_LINES = "short_line_ratio"
    REPEATED = "char_dup_ratio"
    LISTS = "list_ratio"


class FineWebSettings(BlockSettings):
    """FineWeb's rules in a recipe."""

    block: Literal["fineweb"]

    def build(self) -> FineWeb:
        """Build the block."""
        return FineWeb()


class FineWeb(Block):
    """Drops texts whose lines lack final punctuation, are short or repeated, and texts that are lists."""

    name = "fineweb"
    Reason = Reason

    def apply(self, document: Document) -> Document | Drop:
        """Return the document, or a drop."""
        text = document.text
        lines = [line for line in text.split("\n") if line.strip()]
        words = text.split()
        if not lines:
            return self.drop(Reason.EMPTY)
        ended = sum(line.rstrip().endswith(_ENDS) for line in lines) / len(lines)
        if ended < 0.12:
            return self.drop(Reason.FEW_ENDED, measured=ended, least=0.12)
        short = sum(len(line) <= 30 for line in lines) / len(lines)
        if short > 0.67:
            return self.drop(Reason.SHORT_LINES, measured=short, most=0.67)
        share = repeated_characters(lines) / max(1, len(text.replace("\n", "")))
        if share > 0.01:
            return self.drop(Reason.REPEATED, measured=share, most=0.01)
        ratio = text.count("\n") / len(words)
        if ratio > 0.3:
            return self.drop(Reason.LISTS, measured=ratio, most=0.3)
        return document
