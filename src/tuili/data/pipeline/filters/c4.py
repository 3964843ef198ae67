"""The rules of C4 (arXiv 1910.10683, section 2.2) with the published thresholds, as a baseline for comparison.

Lines that do not look like sentences are removed; a page with fewer than five remaining sentences is dropped.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Literal

from tuili.data.pipeline.block import Block, BlockSettings
from tuili.data.pipeline.document import Document, Drop

_ENDS = (".", "!", "?", '"', "'")
_SENTENCE_END = re.compile(r"[.!?][\"')]*(?:\s|$)")
_CITATION = re.compile(r"\[\d*\]|\[edit\]|\[citation needed\]")
_POLICIES = (
    "terms of use",
    "privacy policy",
    "cookie policy",
    "uses cookies",
    "use of cookies",
    "use cookies",
)


class Reason(StrEnum):
    """Why C4 drops a document."""

    LOREM_IPSUM = "lorem_ipsum"
    CURLY_BRACKET = "curly_bracket"
    FEW_SENTENCES = "too_few_sentences"


class C4Settings(BlockSettings):
    """C4's rules in a recipe."""

    block: Literal["c4"]

    def build(self) -> C4:
        """Build the block."""
        return C4()


class C4(Block):
    """Keeps lines of at least three words that end like sentences and do not mention scripts or policies."""

    name = "c4"
    Reason = Reason

    def apply(self, document: Document) -> Document | Drop:
        """Return the document with the remaining lines, or a drop."""
        kept = list[str]()
        for line in _CITATION.sub("", document.text).splitlines():
            line, lowered = line.strip(), line.lower()
            if "lorem ipsum" in lowered:
                return self.drop(Reason.LOREM_IPSUM)
            if "{" in line:
                return self.drop(Reason.CURLY_BRACKET)
            sentence = line.endswith(_ENDS) and not line.endswith("...") and len(line.split()) >= 3
            if sentence and "javascript" not in lowered and not any(policy in lowered for policy in _POLICIES):
                kept.append(line)
        text = "\n".join(kept)
        sentences = len(_SENTENCE_END.findall(text))
        if sentences < 5:
            return self.drop(Reason.FEW_SENTENCES, sentences=sentences, least=5)
        return document.with_text(text)
