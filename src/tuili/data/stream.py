"""The stream of training blocks: it chooses the source of each document, and can be resumed from a saved state.

The sources, the weights and the state determine the blocks: a resumed stream gives the same blocks, bit for bit.
`sources` provides the documents; `packing` chooses the documents of a row and lays them out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import NamedTuple

from tuili.data.packing import Block, Document, fill_row, pack
from tuili.data.records import Record
from tuili.data.sources import Source
from tuili.errors import InputError

MAX_PENDING_DOCUMENTS = 64
"""The number of documents that wait to be packed. So many are enough to fill almost every row exactly."""

MAX_REFUSALS_IN_A_ROW = 1000
"""The number of consecutive documents longer than a row after which a source is refused."""

SourceWeights = Callable[[int], Mapping[str, float]]
"""Maps the number of a block to the weight of each source. A source without a weight has weight 0."""


@dataclass(frozen=True)
class StreamState:
    """The state of a stream, from which it can be resumed. It holds only JSON values."""

    blocks: int = 0
    credit: Mapping[str, float] = field(default_factory=dict)
    """The number of response tokens that each source is owed."""
    drawn: Mapping[str, int] = field(default_factory=dict)
    """The number of documents drawn from each source."""
    refused: Mapping[str, int] = field(default_factory=dict)
    """For each source, the number of drawn documents that were longer than a row and therefore left out."""
    pending: Sequence[tuple[str, int]] = ()
    """The source and number of each document that is drawn but not yet packed, the oldest first."""


class _Waiting(NamedTuple):
    source: str
    number: int
    document: Document


class BlockStream:
    """An endless iterator of blocks, in which each source's share of response tokens follows its weight.

    A block has `rows` rows of `length` tokens; `encode` turns a record into a document. Raises `InputError` when all
    weights are 0, and when a source gives only documents longer than a row.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        encode: Callable[[Record], Document],
        weights: SourceWeights,
        *,
        rows: int,
        length: int,
        pad_id: int,
        state: StreamState | None = None,
    ) -> None:
        state = state or StreamState()
        self._sources = {source.name: source for source in sources}
        assert len(self._sources) == len(sources), "two sources share a name"
        self._encode, self._weights = encode, weights
        self._rows, self._length, self._pad_id = rows, length, pad_id
        self._blocks = state.blocks
        self._credit = {name: state.credit.get(name, 0.0) for name in self._sources}
        self._drawn = {name: state.drawn.get(name, 0) for name in self._sources}
        self._refused = {name: state.refused.get(name, 0) for name in self._sources}
        self._pending = [self._read(name, number) for name, number in state.pending]
        self._packed: list[list[tuple[str, int]]] = []

    @property
    def state(self) -> StreamState:
        """The state after the last block returned."""
        pending = tuple((waiting.source, waiting.number) for waiting in self._pending)
        return StreamState(self._blocks, dict(self._credit), dict(self._drawn), dict(self._refused), pending)

    @property
    def packed(self) -> list[list[Record]]:
        """The records of the last block returned, row by row, in the order of its documents."""
        return [[self._sources[name].record(number) for name, number in row] for row in self._packed]

    def __iter__(self) -> Iterator[Block]:
        return self

    def __next__(self) -> Block:
        weights = self._weights(self._blocks)
        total = sum(weights.get(name, 0.0) for name in self._sources)
        if total <= 0:
            raise InputError("no source of training data has a positive weight: choose domains or files")
        shares = {name: weights.get(name, 0.0) / total for name in self._sources}
        rows = [self._next_row(shares) for _ in range(self._rows)]
        self._packed = [[(waiting.source, waiting.number) for waiting in row] for row in rows]
        self._blocks += 1
        return pack([[waiting.document for waiting in row] for row in rows], self._length, self._pad_id)

    def _next_row(self, shares: Mapping[str, float]) -> list[_Waiting]:
        while len(self._pending) < MAX_PENDING_DOCUMENTS:
            self._draw(shares)
        chosen = fill_row([len(waiting.document) for waiting in self._pending], self._length)
        row = [self._pending[index] for index in chosen]
        self._pending = [waiting for index, waiting in enumerate(self._pending) if index not in chosen]
        return row

    def _draw(self, shares: Mapping[str, float]) -> None:
        """Draw the next document from the source with the most credit (deficit round robin; Shreedhar 1995)."""
        name = max((name for name in self._sources if shares[name] > 0), key=self._credit.__getitem__)
        for _ in range(MAX_REFUSALS_IN_A_ROW):
            drawn = self._read(name, self._drawn[name])
            self._drawn[name] += 1
            if len(drawn.document) <= self._length:
                break
            self._refused[name] += 1
        else:
            raise InputError(
                f"{name}: {MAX_REFUSALS_IN_A_ROW} documents in a row exceed the row length of {self._length}: give a "
                "greater length, or shorter texts"
            )
        learnt = drawn.document.response_length
        for other, share in shares.items():
            self._credit[other] += share * learnt
        self._credit[name] -= learnt
        self._pending.append(drawn)

    def _read(self, name: str, number: int) -> _Waiting:
        return _Waiting(name, number, self._encode(self._sources[name].record(number)))


@contextmanager
def prefetch(stream: BlockStream, ahead: int = 4) -> Iterator[Iterator[tuple[Block, StreamState]]]:
    """Prepare up to `ahead` blocks in advance, in a thread. Yields each block with the stream's state after it.

    An error in the stream is raised in place of its block. The thread ends with the `with` block.
    """
    queue: Queue[tuple[Block, StreamState] | BaseException] = Queue(maxsize=ahead)
    stop = Event()

    def put(item: tuple[Block, StreamState] | BaseException) -> None:
        while not stop.is_set():
            with suppress(Full):
                queue.put(item, timeout=0.1)
                return

    def work() -> None:
        try:
            for block in stream:
                put((block, stream.state))
                if stop.is_set():
                    return
        except BaseException as error:
            put(error)

    def blocks() -> Iterator[tuple[Block, StreamState]]:
        while True:
            item = queue.get()
            if isinstance(item, BaseException):
                raise item
            yield item

    thread = Thread(target=work, name="prefetch", daemon=True)
    thread.start()
    try:
        yield blocks()
    finally:
        stop.set()
        with suppress(Empty):
            queue.get_nowait()  # if the thread waits for room, it continues at once
        thread.join()
