"""The rules of Gopher (arXiv 2112.11446, appendix A.1.1) with the published thresholds, as a baseline for comparison.

In the quality rules, words are separated by whitespace, as published. In runs of words, they are those of `Words`.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Literal

from tuili.data.pipeline.block import Block, BlockSettings
from tuili.data.pipeline.document import Document, Drop
from tuili.data.pipeline.filters.repetition import repeated_characters, repeated_ngrams, top_ngram

_STOP_WORDS = frozenset({"the", "be", "to", "of", "and", "that", "have", "with"})
_BULLETS = ("•", "-", "*", "‣")
_PARAGRAPH = re.compile(r"\n{2,}")
_TOP = {2: 0.20, 3: 0.18, 4: 0.16}
_REPEATED = {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10}


class QualityReason(StrEnum):
    """Why the quality rules drop a document."""

    SHORT = "gopher_short_doc"
    LONG = "gopher_long_doc"
    SHORT_WORDS = "gopher_below_avg_threshold"
    LONG_WORDS = "gopher_above_avg_threshold"
    HASHES = "gopher_too_many_hashes"
    ELLIPSES = "gopher_too_many_ellipsis"
    BULLETS = "gopher_too_many_bullets"
    ENDING_ELLIPSES = "gopher_too_many_end_ellipsis"
    FEW_ALPHABETIC = "gopher_below_alpha_threshold"
    FEW_STOP_WORDS = "gopher_enough_stop_words"


class GopherQualitySettings(BlockSettings):
    """Gopher's rules of quality in a recipe."""

    block: Literal["gopher_quality"]

    def build(self) -> GopherQuality:
        """Build the block."""
        return GopherQuality()


class GopherQuality(Block):
    """Checks length, words, symbols, bullets, ellipses and stop words."""

    name = "gopher_quality"
    Reason = QualityReason

    def apply(self, document: Document) -> Document | Drop:
        """Return the document, or a drop."""
        text, words = document.text, document.text.split()
        count = len(words)
        if count < 50:
            return self.drop(QualityReason.SHORT, words=count, least=50)
        if count > 100_000:
            return self.drop(QualityReason.LONG, words=count, most=100_000)
        mean = sum(map(len, words)) / count
        if mean < 3:
            return self.drop(QualityReason.SHORT_WORDS, measured=mean, least=3)
        if mean > 10:
            return self.drop(QualityReason.LONG_WORDS, measured=mean, most=10)
        for reason, signs in ((QualityReason.HASHES, ("#",)), (QualityReason.ELLIPSES, ("...", "…"))):
            share = sum(map(text.count, signs)) / count
            if share > 0.1:
                return self.drop(reason, measured=share, most=0.1)
        lines = text.splitlines()
        bullets = sum(line.lstrip().startswith(_BULLETS) for line in lines) / len(lines)
        if bullets > 0.9:
            return self.drop(QualityReason.BULLETS, measured=bullets, most=0.9)
        endings = sum(line.rstrip().endswith(("...", "…")) for line in lines) / len(lines)
        if endings > 0.3:
            return self.drop(QualityReason.ENDING_ELLIPSES, measured=endings, most=0.3)
        alphabetic = sum(any(map(str.isalpha, word)) for word in words) / count
        if alphabetic < 0.8:
            return self.drop(QualityReason.FEW_ALPHABETIC, measured=alphabetic, least=0.8)
        stops = len(_STOP_WORDS & {word.lower() for word in words})
        if stops < 2:
            return self.drop(QualityReason.FEW_STOP_WORDS, measured=stops, least=2)
        return document


class RepetitionReason(StrEnum):
    """Why the repetition rules drop a document."""

    LINES = "dup_line_frac"
    PARAGRAPHS = "dup_para_frac"
    LINE_CHARACTERS = "dup_line_char_frac"
    PARAGRAPH_CHARACTERS = "dup_para_char_frac"
    TOP_2 = "top_2_gram"
    TOP_3 = "top_3_gram"
    TOP_4 = "top_4_gram"
    REPEATED_5 = "duplicated_5_n_grams"
    REPEATED_6 = "duplicated_6_n_grams"
    REPEATED_7 = "duplicated_7_n_grams"
    REPEATED_8 = "duplicated_8_n_grams"
    REPEATED_9 = "duplicated_9_n_grams"
    REPEATED_10 = "duplicated_10_n_grams"


class GopherRepetitionSettings(BlockSettings):
    """Gopher's rules of repetition in a recipe."""

    block: Literal["gopher_repetition"]

    def build(self) -> GopherRepetition:
        """Build the block."""
        return GopherRepetition()


class GopherRepetition(Block):
    """Checks for repeated lines, paragraphs and runs of words."""

    name = "gopher_repetition"
    Reason = RepetitionReason

    def apply(self, document: Document) -> Document | Drop:
        """Return the document, or a drop."""
        text, words = document.text, document.words
        for parts, share, characters in (
            (_PARAGRAPH.split(text.strip()), RepetitionReason.PARAGRAPHS, RepetitionReason.PARAGRAPH_CHARACTERS),
            (re.split(r"\n+", text.strip()), RepetitionReason.LINES, RepetitionReason.LINE_CHARACTERS),
        ):
            again = len(parts) - len(set(parts))
            if again / len(parts) > 0.3:
                return self.drop(share, measured=again / len(parts), most=0.3)
            repeated = repeated_characters(parts)
            if repeated / len(text) > 0.2:
                return self.drop(characters, measured=repeated / len(text), most=0.2)
        for n, most in _TOP.items():
            if (value := top_ngram(words, n)) > most:
                return self.drop(RepetitionReason(f"top_{n}_gram"), measured=value, most=most)
        for n, most in _REPEATED.items():
            if (value := repeated_ngrams(words, n)) > most:
                return self.drop(RepetitionReason(f"duplicated_{n}_n_grams"), measured=value, most=most)
        return document
