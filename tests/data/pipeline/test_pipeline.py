from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

import pytest

from tuili.data.pipeline.block import AnyBlock, Block, OrderedBlock
from tuili.data.pipeline.document import Document, Drop, ReadFault
from tuili.data.pipeline.pipeline import Dropped, Kept, Pipeline, Refused, Settled
from tuili.data.pipeline.readers.files import find_files
from tuili.data.pipeline.readers.inputs import Input
from tuili.data.pipeline.reading import Corpus


def document(text: str, identity: str = "a:1") -> Document:
    return Document(text, identity, identity, "prose")


class Short(StrEnum):
    SHORT = "short"


class DropShort(Block):
    name = "length"
    Reason = Short

    def apply(self, document: Document) -> Document | Drop:
        if len(document.text) < 3:
            return self.drop(Short.SHORT, characters=len(document.text))
        return document.with_measures(length=len(document.text))


class Halves(Block):
    name = "halves"
    Reason = Short

    def apply(self, document: Document) -> Sequence[Document]:
        parts = document.text.split("|")
        return [
            Document(part, f"{document.id}/{number}", document.place, document.kind)
            for number, part in enumerate(parts)
        ]


class Again(StrEnum):
    AGAIN = "again"


class OnlyOnce(OrderedBlock):
    """Drops a text that has stood before."""

    name = "once"
    Reason = Again

    def __init__(self) -> None:
        self.seen = dict[bytes, str]()
        self.fresh = list[bytes]()

    def prepare(self, document: Document) -> bytes:
        return document.text.encode()

    def decide(self, identity: str, prepared: bytes) -> Drop | None:
        if prepared in self.seen:
            return self.drop(Again.AGAIN, of=self.seen[prepared])
        self.seen[prepared] = identity
        self.fresh.append(json.dumps([prepared.decode(), identity]).encode() + b"\n")
        return None

    def learnt(self) -> bytes:
        fresh, self.fresh = self.fresh, []
        return b"".join(fresh)

    def restore(self, journal: BinaryIO) -> None:
        self.seen = {text.encode(): identity for text, identity in map(json.loads, journal)}


def ends(blocks: Sequence[AnyBlock], *texts: str) -> list[str]:
    documents = [document(text, f"a:{number}") for number, text in enumerate(texts, start=1)]
    return [told(settled) for settled in Pipeline(blocks).run(iter(documents))]


def told(settled: Settled) -> str:
    match settled:
        case Kept(trace):
            return f"{trace.id} kept"
        case Dropped(trace, block, drop):
            return f"{trace.id} {block}/{drop.reason} {drop.measured}"
    raise AssertionError(settled)


def test_a_document_passes_all_blocks_or_is_dropped_by_one_with_its_reason() -> None:
    assert ends([DropShort()], "long", "s") == ["a:1 kept", "a:2 length/short {'characters': 1.0}"]


def test_what_a_block_splits_goes_on_in_parts() -> None:
    assert ends([Halves(), DropShort()], "one|2") == ["a:1/0 kept", "a:1/1 length/short {'characters': 1.0}"]


def test_an_ordered_block_decides_in_order_and_whatever_later_blocks_say() -> None:
    """The second `x` is one that stood before, although the first was dropped behind the block."""
    assert ends([OnlyOnce(), DropShort()], "x", "long", "x", "long") == [
        "a:1 length/short {'characters': 1.0}",
        "a:2 kept",
        "a:3 once/again {'of': 'a:1'}",
        "a:4 once/again {'of': 'a:2'}",
    ]


def test_an_ordered_block_does_not_see_what_was_dropped_before_it() -> None:
    assert ends([DropShort(), OnlyOnce()], "x", "x")[1].startswith("a:2 length/short")


def test_parts_of_a_document_are_asked_one_by_one() -> None:
    assert ends([OnlyOnce(), Halves(), OnlyOnce()], "p|p") == ["a:1/0 kept", "a:1/1 once/again {'of': 'a:1/0'}"]


def test_a_document_is_written_with_its_measures() -> None:
    (kept,) = Pipeline([DropShort()]).run(iter([document("long")]))
    assert isinstance(kept, Kept)
    assert json.loads(kept.line) == {
        "text": "long", "id": "a:1", "place": "a:1", "kind": "prose", "measures": {"length": 4.0},
    }  # fmt: skip


def test_where_records_are_written_a_document_without_one_is_dropped_with_a_reason() -> None:
    with_record = Document("text", "b", "b", "prose", record={"input": "1 + 1", "output": "2"})
    first, second = Pipeline([], records=True).run(iter([document("text"), with_record]))
    assert isinstance(first, Dropped)
    assert (first.block, first.drop.reason) == ("output", "no_record")
    assert isinstance(second, Kept)
    assert json.loads(second.line) == {"input": "1 + 1", "output": "2"}


def test_words_are_computed_once_until_the_text_changes() -> None:
    first = document("one two")
    words = first.words
    assert first.with_measures(quality=1).words is words
    assert first.with_metadata(language="en").words is words
    assert first.with_text("one two") is first
    assert len(first.with_text("one").words) == 1


class Failing(Block):
    name = "failing"
    Reason = Short

    def apply(self, document: Document) -> Document:
        if document.text == "deep":
            raise RecursionError("too deep")
        return document


def test_what_one_document_raises_in_a_block_costs_that_document(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "one"}\n{"text": "deep"}\n{"text": "two"}')
    files = find_files([Input(path=tmp_path)])
    corpus = Corpus([Input(path=tmp_path)], files)
    found = [corpus.read(item, Pipeline([Failing()])) for item in corpus.items(corpus.outline)]
    first, ((refused),), last = found
    assert isinstance(refused, Refused) and refused.refusal.fault is ReadFault.CRASHED
    assert refused.refusal.message == "reading it failed: RecursionError: too deep"
    assert refused.refusal.place.endswith("a.jsonl:2")
    assert isinstance(first[0], Kept) and isinstance(last[0], Kept)


def test_a_reason_of_another_block_is_a_mistake() -> None:
    with pytest.raises(AssertionError, match="no reason of the block length"):
        DropShort().drop(Again.AGAIN)
