"""A pipeline: a plain list of blocks that documents pass one after another.

`process` is the part that may run anywhere; `settle` must know the order. `pool` decides which process runs which;
`building` handles files and steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from tuili.data.pipeline.block import AnyBlock, Block, OrderedBlock
from tuili.data.pipeline.document import EXCERPT_CHARACTERS, ROUTED_DOMAIN, Document, Drop, Refusal

OUTPUT_BLOCK, NO_RECORD = "output", "no_record"
"""The block name and the reason for dropping documents without a record when records are written."""


class Trace(msgspec.Struct, array_like=True, frozen=True):
    """What the report and the list of drops say about a document."""

    id: str
    place: str
    kind: str
    characters: int
    excerpt: str
    measures: dict[str, float]
    domain: str = ""
    """The domain that the document was routed to; empty if it was not routed."""

    @classmethod
    def of(cls, document: Document, routed: bool = False) -> Trace:
        """The trace of a document as it is now. routed: whether a block, not the input, has assigned its domain."""
        domain = str(document.metadata.get(ROUTED_DOMAIN, ""))[:EXCERPT_CHARACTERS] if routed else ""
        length, excerpt = len(document.text), document.excerpt
        return cls(document.id, document.place, document.kind, length, excerpt, document.measures, domain)


class Kept(msgspec.Struct, array_like=True, frozen=True, tag=0):
    """A document that passed every block."""

    trace: Trace
    line: bytes
    """The output for the document: a JSON object and a newline."""


class Dropped(msgspec.Struct, array_like=True, frozen=True, tag=1):
    """A document that a block dropped."""

    trace: Trace
    block: str
    drop: Drop


class Asked(msgspec.Struct, array_like=True, frozen=True, tag=2):
    """A document that an ordered block has yet to decide on; `then` is its outcome if the block keeps it."""

    trace: Trace
    block: int
    prepared: bytes
    then: list[Kept | Dropped | Asked]


class Refused(msgspec.Struct, array_like=True, frozen=True, tag=3):
    """What a reader could not read."""

    reader: str
    refusal: Refusal


Settled = Kept | Dropped | Refused
Outcome = Kept | Dropped | Asked | Refused


class Pipeline:
    """Blocks in order, and what is written for a document that passes all of them."""

    def __init__(self, blocks: Sequence[AnyBlock], *, records: bool = False) -> None:
        """records: whether to write the training record extracted from a document, instead of the document."""
        self.blocks = list(blocks)
        self._records = records
        self._routes = any(block.routes for block in self.blocks)
        self._encode = msgspec.json.Encoder().encode

    @property
    def ordered(self) -> list[tuple[int, OrderedBlock]]:
        """The blocks that must know the order, with their positions."""
        return [(place, block) for place, block in enumerate(self.blocks) if isinstance(block, OrderedBlock)]

    def process(self, document: Document, first: int = 0) -> list[Kept | Dropped | Asked]:
        """Send a document through the blocks from number `first` on, as far as this depends on the document alone."""
        for place in range(first, len(self.blocks)):
            block = self.blocks[place]
            if isinstance(block, OrderedBlock):
                prepared = block.prepare(document)
                return [Asked(Trace.of(document), place, prepared, self.process(document, place + 1))]
            assert isinstance(block, Block)
            result = block.apply(document)
            if isinstance(result, Drop):
                return [Dropped(Trace.of(document), block.name, result)]
            if not isinstance(result, Document):
                assert result, f"{block.name} split {document.id} into nothing: it should drop it with a reason"
                return [outcome for part in result for outcome in self._part(part, block, place + 1)]
            document = result
        if self._records and document.record is None:
            return [Dropped(Trace.of(document), OUTPUT_BLOCK, Drop(NO_RECORD))]
        written = document.record if self._records else document
        return [Kept(Trace.of(document, self._routes), self._encode(written) + b"\n")]

    def _part(
        self, part: Document | tuple[Document, Drop], block: Block, then: int
    ) -> Sequence[Kept | Dropped | Asked]:
        if isinstance(part, Document):
            return self.process(part, then)
        document, drop = part
        return [Dropped(Trace.of(document), block.name, drop)]

    def settle(self, outcome: Outcome) -> Iterator[Settled]:
        """Yield the final outcomes of a document. Must be called in corpus order, once for each outcome."""
        if not isinstance(outcome, Asked):
            yield outcome
            return
        block = self.blocks[outcome.block]
        assert isinstance(block, OrderedBlock)
        drop = block.decide(outcome.trace.id, outcome.prepared)
        if drop is not None:
            yield Dropped(outcome.trace, block.name, drop)
            return
        for later in outcome.then:
            yield from self.settle(later)

    def run(self, documents: Iterator[Document]) -> Iterator[Settled]:
        """Send documents through all blocks in this process, in order."""
        for document in documents:
            for outcome in self.process(document):
                yield from self.settle(outcome)
