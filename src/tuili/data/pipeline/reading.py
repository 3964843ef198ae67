"""From the files of a corpus to batches of items, and from a batch to outcomes.

Where a batch ends depends on the items alone, so that a build that goes on cuts the same ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module

from tuili.data.pipeline.document import Document, ReadFault, Refusal
from tuili.data.pipeline.pipeline import Outcome, Pipeline, Refused
from tuili.data.pipeline.readers.reader import Input, Item, Reader, SourceFile

BATCH_ITEMS, BATCH_BYTES = 64, 2**20
READERS = {
    "jsonl": "jsonl:JsonlReader",
    "parquet": "parquet:ParquetReader",
    "text": "text:TextReader",
    "html": "html:HtmlReader",
    "pdf": "pdf:PdfReader",
    "dataset": "hub:DatasetReader",
}
"""The module and the class of each format: a module is imported where its format is met."""
FILES = "files"
"""The name under which files of no known format are refused."""


class Corpus:
    """The files of a corpus with the readers that they need."""

    def __init__(self, inputs: Sequence[Input], files: Sequence[SourceFile]) -> None:
        """Raises `InputError` where a package that a reader needs is not installed."""
        self.inputs, self.files = inputs, files
        self._readers = dict[tuple[int, str], Reader]()
        for file in files:
            if file.format and (file.input, file.format) not in self._readers:
                module, _, name = READERS[file.format].partition(":")
                made = getattr(import_module(f"tuili.data.pipeline.readers.{module}"), name)
                self._readers[file.input, file.format] = made(inputs[file.input])

    @property
    def needs_worker(self) -> bool:
        """Whether foreign code reads some of the files, which a hostile file may crash."""
        return any(reader.parses for reader in self._readers.values())

    def reader(self, file: SourceFile) -> Reader:
        """The reader of a file of a known format."""
        assert file.format
        return self._readers[file.input, file.format]

    def items(self, outline: Callable[[int], list[Item]], file: int = 0, item: int = 0) -> Iterator[Item]:
        """The items of all files from an item of a file on. outline: calls `Corpus.outline`, where that is safe."""
        for number in range(file, len(self.files)):
            start = item if number == file else 0
            source = self.files[number]
            if source.format is None:
                if start == 0:
                    yield Item(number, 0, source.name, fault=_unknown(source))
            elif self.reader(source).outlines:
                yield from outline(number)[start:]
            else:
                yield from self.reader(source).items(number, source, start)

    def outline(self, number: int) -> list[Item]:
        """The items of a file that is cut by foreign code."""
        return self.reader(self.files[number]).outline(number, self.files[number])

    def read(self, item: Item, pipeline: Pipeline) -> list[Outcome]:
        """What becomes of an item, as far as that depends on it alone."""
        source = self.files[item.file]
        if item.fault is not None:
            return [Refused(source.format or FILES, item.fault)]
        outcomes = list[Outcome]()
        try:
            for found in self.reader(source).read(source, item):
                if isinstance(found, Document):
                    outcomes += pipeline.process(found)
                else:
                    outcomes.append(Refused(str(source.format), found))
        except MemoryError:
            message = "reading it takes more memory than a worker may have: split it"
            return [Refused(str(source.format), Refusal(item.place, ReadFault.TOO_MUCH_MEMORY, message))]
        return outcomes


def _unknown(file: SourceFile) -> Refusal:
    if not file.path.exists():
        return Refusal(file.name, ReadFault.UNREADABLE, "a link to nowhere")
    if not file.path.is_file():
        return Refusal(file.name, ReadFault.UNREADABLE, "not a regular file")
    message = "its name tells no format: name the format of the input, or leave the file out"
    return Refusal(file.name, ReadFault.UNKNOWN_FORMAT, message)


def batches(items: Iterator[Item]) -> Iterator[list[Item]]:
    """Items in batches of `BATCH_ITEMS` and about `BATCH_BYTES`."""
    batch, weight = list[Item](), 0
    for item in items:
        batch.append(item)
        weight += item.weight
        if len(batch) >= BATCH_ITEMS or weight >= BATCH_BYTES:
            yield batch
            batch, weight = [], 0
    if batch:
        yield batch
