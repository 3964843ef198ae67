"""Documents, which flow through a pipeline and are in the end kept, dropped by a block, or refused by a reader.

`block` and `filters` drop documents; `readers` read them.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cached_property
from typing import Any

import msgspec

from tuili.data.pipeline.words import Words

MAX_CHARACTERS = 2**22
"""The maximum characters of a document. A longer one is refused: arrays of `Words` take some 60 bytes a character."""
EXCERPT_CHARACTERS = 240
ROUTED_DOMAIN = "routed_domain"
"""The metadata key for the domain that a document belongs to."""


class Document(msgspec.Struct, frozen=True, dict=True, omit_defaults=True):
    """A text and where it comes from. Frozen: a block that changes the text makes a new document by `with_text`."""

    text: str
    """Valid Unicode without unpaired surrogates."""
    id: str
    """A name unique in the corpus; by default the place."""
    place: str
    """The file and the line, row or page that it was read from, as in `crawl/a.jsonl.zst:17`."""
    kind: str
    """The kind of text, a key of `filters/thresholds.yaml`: web, prose, paper, patent, reference, problem, code."""
    metadata: dict[str, Any] = {}
    """What else the reader found, as JSON values."""
    measures: dict[str, float] = {}
    """What blocks have measured, by name of the measure, such as `quality`. The report shows each as a histogram."""
    record: dict[str, Any] | None = None
    """The training record that a block has extracted from the document: the fields of `tuili.data.Record`."""

    @cached_property
    def words(self) -> Words:
        """The words of the text, computed once for all blocks."""
        return Words(self.text)

    def with_text(self, text: str) -> Document:
        """The same document with another text. Its words are recomputed."""
        return self if text == self.text else msgspec.structs.replace(self, text=text)

    def with_measures(self, **measures: float) -> Document:
        """The same document with more measures."""
        return self._keeping_words(
            msgspec.structs.replace(
                self, measures={**self.measures, **{name: float(value) for name, value in measures.items()}}
            )
        )

    def with_metadata(self, **metadata: Any) -> Document:
        """The same document with more metadata."""
        return self._keeping_words(msgspec.structs.replace(self, metadata={**self.metadata, **metadata}))

    def _keeping_words(self, changed: Document) -> Document:
        if "words" in self.__dict__:
            changed.__dict__["words"] = self.words
        return changed

    @property
    def excerpt(self) -> str:
        """The beginning of the text, for reports."""
        return self.text[:EXCERPT_CHARACTERS]


class Drop(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a block drops a document."""

    reason: str
    """A member of the block's enum `Reason`."""
    measured: dict[str, float | str] = {}
    """The measured values, alongside the allowed ones, as in `{"words": 7, "least": 50}`."""


class ReadFault(StrEnum):
    """Why a reader refuses a file or a part of it. The report and the manifest use these names."""

    UNREADABLE = "unreadable"
    UNKNOWN_FORMAT = "unknown_format"
    DAMAGED = "damaged"
    TOO_LONG = "too_long"
    EXPANDS_TOO_MUCH = "expands_too_much"
    WRONG_ENCODING = "wrong_encoding"
    NOT_JSON = "not_json"
    NO_TEXT = "no_text"
    EMPTY = "empty"
    PROTECTED = "protected"
    TOO_MUCH_TIME = "too_much_time"
    TOO_MUCH_MEMORY = "too_much_memory"
    CRASHED = "crashed"


class Refusal(msgspec.Struct, frozen=True):
    """What could not be read: a file, or a line, row or page of it."""

    place: str
    fault: ReadFault
    message: str
    """What is wrong, and what would be right, in one line."""
