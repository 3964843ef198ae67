"""What a training tells of how it reads a file, and from that the file's records and the rows they are packed into.

A feed is made by each kind of training, of the parts that the training itself is made of.
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
    """A record of a file, and why the training leaves it out; empty where it does not."""

    record: Record
    left_out: str = ""


class Feed(Protocol):
    """How a training reads a file."""

    @property
    def tokenizer(self) -> AnyTokenizer:
        """The tokenizer of the model."""

    @property
    def prefix(self) -> Sequence[int]:
        """Tokens that stand once before every row, and are not learnt."""

    @property
    def capacity(self) -> int:
        """Tokens of a row behind the prefix."""

    @property
    def pad_id(self) -> int:
        """The token of padding."""

    @property
    def notes(self) -> Sequence[str]:
        """What else the training does to records, a line each."""

    def records(self) -> Iterator[FedRecord]:
        """The records of the file, in order. Raises as the training would."""

    def encode(self, record: Record) -> Document:
        """The document that the training makes of a record."""

    def open(self) -> BlockStream:
        """The blocks of the training, from its first on."""


@dataclass(frozen=True)
class ShownRow:
    """A packed row, or a record alone.

    number: of a packed row, from 1 on. padding: places at its end that hold no document. notes: what the
    training has left out up to this row, a line each.
    """

    documents: tuple[ShownDocument, ...]
    capacity: int
    number: int | None = None
    padding: int = 0
    notes: tuple[str, ...] = ()

    @classmethod
    def alone(cls, document: ShownDocument) -> ShownRow:
        """A record that is shown without others."""
        return cls((document,), document.capacity)


def show_records(feed: Feed, first: int, count: int) -> Iterator[ShownDocument]:
    """So many records of the file from number `first` on, counted from 1, each packed alone."""
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
    """The first rows that the training is fed with."""
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
    """The tokens that stand before every row."""
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
