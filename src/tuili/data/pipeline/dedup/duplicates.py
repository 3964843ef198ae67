"""Deduplication: of documents that are the same, or nearly so, the first in corpus order is kept.

Workers compute a digest and a signature of each document; the coordinator remembers only those of the documents that it
keeps. `signature` estimates how similar two texts are; `neighbours` searches for candidates.
"""

from __future__ import annotations

import struct
from array import array
from enum import StrEnum
from typing import BinaryIO, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from tuili.data.pipeline.block import BlockSettings, OrderedBlock
from tuili.data.pipeline.dedup.neighbours import Neighbours
from tuili.data.pipeline.dedup.signature import (
    BANDS,
    DIGEST_BYTES,
    HASHES,
    digest_of,
    signature_of,
    similarity,
)
from tuili.data.pipeline.document import Document, Drop

_ENTRY = struct.Struct("<II")
"""The header of a journal entry: the lengths in bytes of the id and the prepared data that follow."""


class Reason(StrEnum):
    """Why a document is dropped. The measured values name the document that was kept."""

    DUPLICATE = "duplicate"
    NEAR_DUPLICATE = "near_duplicate"


class DedupSettings(BlockSettings):
    """The removal of duplicates in a recipe."""

    block: Literal["dedup"]
    near: bool = Field(True, description="Whether near-duplicates are dropped, too.")
    similarity: float = Field(
        0.5,
        ge=0.4,
        le=1.0,
        description="Jaccard similarity of shingles from which on two documents are near-duplicates.",
    )
    shingle: int = Field(2, ge=1, le=20, description="Words of a shingle, or characters in Chinese.")
    few_words: int = Field(20, ge=1, description="Documents with fewer words are dropped only as exact duplicates, ...")
    exact_kinds: tuple[str, ...] = Field(
        ("problem",), description="... and those of these kinds: another number makes another problem."
    )

    @model_validator(mode="after")
    def _has_effect(self) -> Self:
        for name in ("similarity", "shingle", "few_words", "exact_kinds"):
            if not self.near and getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"{name} has no effect where near is false: leave one of them out")
        return self

    def excepted_kinds(self) -> tuple[str, ...]:
        """The kinds of text that are not checked for near-duplicates."""
        return self.exact_kinds

    def build(self) -> Deduplication:
        """Build the block."""
        return Deduplication(self)


class Deduplication(OrderedBlock):
    """Drops a document that is a duplicate or near-duplicate of an earlier one."""

    name = "dedup"
    Reason = Reason

    def __init__(self, settings: DedupSettings) -> None:
        self._settings = settings
        self._exact = Neighbours(1, np.uint64)
        self._near = Neighbours(BANDS, np.uint32)
        self._near_numbers = array("Q")
        """The number of the document for each row of `_near`."""
        self._ids, self._id_ends = bytearray(), array("Q")
        self._fresh = bytearray()

    def prepare(self, document: Document) -> bytes:
        """Compute the digest, and the signature if the document is checked for near-duplicates."""
        digest, own = digest_of(document.text), self._settings
        if not own.near or document.kind in own.exact_kinds or len(document.words) < max(own.few_words, own.shingle):
            return digest
        return digest + signature_of(document.words.ngrams(own.shingle)).tobytes()

    def decide(self, identity: str, prepared: bytes) -> Drop | None:
        """Return a drop with the id of the document that was kept, or None."""
        same = self._exact.find(np.frombuffer(prepared, "<u8", 1))
        if len(same):
            return self.drop(Reason.DUPLICATE, of=self._id(int(same[0])))
        if len(prepared) > DIGEST_BYTES:
            rows = self._near.find(np.frombuffer(prepared, "<u4", BANDS, DIGEST_BYTES))
            if len(rows):
                others = self._near.keys[rows].view(np.uint8)
                alike = similarity(np.frombuffer(prepared, np.uint8, HASHES, DIGEST_BYTES), others)
                best = int(alike.argmax())
                if alike[best] >= self._settings.similarity:
                    of = self._id(self._near_numbers[int(rows[best])])
                    return self.drop(Reason.NEAR_DUPLICATE, of=of, similarity=round(float(alike[best]), 3))
        name = identity.encode()
        self._fresh += _ENTRY.pack(len(name), len(prepared)) + name + prepared
        self._remember(name, prepared)
        return None

    def learnt(self) -> bytes:
        """The ids, digests and signatures of the documents kept since the last call."""
        fresh, self._fresh = bytes(self._fresh), bytearray()
        return fresh

    def restore(self, journal: BinaryIO) -> None:
        """Read back the documents that were kept."""
        while head := journal.read(_ENTRY.size):
            name, prepared = _ENTRY.unpack(head)
            self._remember(journal.read(name), journal.read(prepared))

    def _remember(self, name: bytes, prepared: bytes) -> None:
        if len(prepared) > DIGEST_BYTES:
            self._near.append(np.frombuffer(prepared, "<u4", BANDS, DIGEST_BYTES))
            self._near_numbers.append(len(self._exact))
        self._exact.append(np.frombuffer(prepared, "<u8", 1))
        self._ids += name
        self._id_ends.append(len(self._ids))

    def _id(self, number: int) -> str:
        start = self._id_ends[number - 1] if number else 0
        return self._ids[start : self._id_ends[number]].decode()
