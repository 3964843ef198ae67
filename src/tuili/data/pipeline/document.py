"""Documents: what flows through a pipeline, and how one leaves it: kept, dropped by a block, or refused by a reader.

What drops is left to `block` and `filters`, what reads to `readers`.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cached_property
from typing import Any

import msgspec

from tuili.data.pipeline.words import Words

MAX_CHARACTERS = 2**22
"""Characters of a document: a longer one is refused, for the arrays of `Words` take some 60 bytes a character."""
EXCERPT_CHARACTERS = 240
ROUTED_DOMAIN = "routed_domain"
"""Where the metadata of a document have the domain that it belongs to."""


class Document(msgspec.Struct, frozen=True, dict=True, omit_defaults=True):
    """A text with where it comes from. Frozen: a block that changes the text makes another, by `with_text`."""

    text: str
    """Valid Unicode without half characters."""
    id: str
    """A name unique in the corpus; by default the place."""
    place: str
    """The file and the line, row or page that it was read from, as in `crawl/a.jsonl.zst:17`."""
    kind: str
    """The kind of text, a key of `filters/thresholds.yaml`: web, prose, paper, patent, reference, problem, code."""
    metadata: dict[str, Any] = {}
    """What else the reader found: values of JSON."""
    measures: dict[str, float] = {}
    """What blocks have measured of it by the measure's name, such as `quality`: shown in the report as a histogram."""
    record: dict[str, Any] | None = None
    """The training record that a block has extracted from it: the fields of `tuili.data.Record`."""

    @cached_property
    def words(self) -> Words:
        """The words of the text, computed once for all blocks."""
        return Words(self.text)

    def with_text(self, text: str) -> Document:
        """The same document with another text. Its words are computed anew."""
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
    """Why a block does not let a document pass."""

    reason: str
    """A member of the block's enum `Reason`."""
    measured: dict[str, float | str] = {}
    """What was measured beside what is allowed, as in `{"words": 7, "least": 50}`."""


class ReadFault(StrEnum):
    """Why a reader refuses a file or a part of it. The names are those of the report and the manifest."""

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
    """What is wrong there, and what would be right: one line."""
