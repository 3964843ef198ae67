"""Declares how a training reads a file, and derives from it the file's records and the packed rows.

Each kind of training builds its feed from the same parts that it trains with.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import NamedTuple, Protocol

import torch

from tuili.data.packing import IGNORE_INDEX, Block, Document, pack
from tuili.data.records import Record
from tuili.data.showing.documents import ShownDocument, ShownToken, show_document, token_texts
from tuili.data.stream import BlockStream
from tuili.store import AnyTokenizer


class FedRecord(NamedTuple):
    """A record of a file, and why the training leaves it out; empty if it does not."""

    record: Record
    left_out: str = ""


class Feed(Protocol):
    """How a training reads a file."""

    @property
    def tokenizer(self) -> AnyTokenizer:
        """The tokenizer of the model."""

    @property
    def prefix(self) -> Sequence[int]:
        """Tokens that precede every row once and are not learnt."""

    @property
    def capacity(self) -> int:
        """The number of tokens in a row after the prefix."""

    @property
    def pad_id(self) -> int:
        """The padding token."""

    @property
    def notes(self) -> Sequence[str]:
        """What else the training does to records, one line for each note."""

    def records(self) -> Iterator[FedRecord]:
        """The records of the file, in order. Raises the same errors as the training."""

    def encode(self, record: Record) -> Document:
        """The document that the training makes of a record."""

    def open(self) -> BlockStream:
        """The blocks of the training, from the first one."""


@dataclass(frozen=True)
class ShownRow:
    """A packed row, or a single record.

    number: the number of a packed row, counted from 1. padding: positions at its end that hold no document. notes: what
    the training has left out up to this row, one line for each note.
    """

    documents: tuple[ShownDocument, ...]
    capacity: int
    number: int | None = None
    padding: int = 0
    notes: tuple[str, ...] = ()

    @classmethod
    def alone(cls, document: ShownDocument) -> ShownRow:
        """A row that shows a single record."""
        return cls((document,), document.capacity)


def show_records(feed: Feed, first: int, count: int) -> Iterator[ShownDocument]:
    """Yield `count` records of the file, from number `first` (counted from 1), each packed alone."""
    for record, left_out in islice(feed.records(), first - 1, first - 1 + count):
        document = feed.encode(record)
        if not left_out and len(document) > feed.capacity:
            left_out = f"it has {len(document)} tokens, and a row has {feed.capacity}"
        if left_out:
            targets_L = torch.full((len(document),), IGNORE_INDEX)
        else:
            targets_L = pack([[document]], feed.capacity, feed.pad_id).targets_BT[0, : len(document)]
        yield show_document(feed.tokenizer, record, document, targets_L, feed.capacity, left_out)


def show_rows(feed: Feed, count: int) -> Iterator[ShownRow]:
    """Yield the first rows that the training receives."""
    stream = feed.open()
    rows = chain.from_iterable(_rows(feed, block, stream.packed) for block in stream)
    for number, (documents, padding) in enumerate(islice(rows, count), start=1):
        state = stream.state
        notes = (
            f"{name}: left out {refused} of {state.drawn[name]} documents, longer than a row"
            for name, refused in state.refused.items()
            if refused
        )
        yield ShownRow(documents, feed.capacity, number, padding, tuple(notes))


def show_prefix(feed: Feed) -> tuple[ShownToken, ...]:
    """The tokens that precede every row."""
    texts, added = token_texts(feed.tokenizer, feed.prefix), feed.tokenizer.backend.get_added_tokens_decoder()
    return tuple(
        ShownToken(token, text, control=token in added) for token, text in zip(feed.prefix, texts, strict=True)
    )


def _rows(
    feed: Feed, block: Block, packed: Sequence[Sequence[Record]]
) -> Iterator[tuple[tuple[ShownDocument, ...], int]]:
    for row, records in enumerate(packed):
        shown, start = list[ShownDocument](), 0
        for record in records:
            document = feed.encode(record)
            place = slice(start, start + len(document))
            assert tuple(block.tokens_BT[row, place].tolist()) == document.tokens, "the row holds another document"
            shown.append(show_document(feed.tokenizer, record, document, block.targets_BT[row, place], feed.capacity))
            start = place.stop
        yield tuple(shown), feed.capacity - start
