"""Splits the files of a corpus into batches of items, and turns batches into outcomes.

The output does not depend on where a batch ends.
"""

from __future__ import annotations

import errno
import stat
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module

from tuili.data.pipeline.document import Document, ReadFault, Refusal
from tuili.data.pipeline.pipeline import Outcome, Pipeline, Refused
from tuili.data.pipeline.readers.inputs import Input, Item, SourceFile
from tuili.data.pipeline.readers.reader import Reader
from tuili.errors import TuiliError, one_line

BATCH_ITEMS, BATCH_BYTES, GROUP_BYTES = 64, 2**20, 2**24
READERS = {
    "jsonl": "jsonl:JsonlReader",
    "parquet": "parquet:ParquetReader",
    "text": "text:TextReader",
    "html": "html:HtmlReader",
    "pdf": "pdf:PdfReader",
    "dataset": "hub:DatasetReader",
}
"""The module and the class for each format. The module is imported when its format first occurs."""
_OF_ITS_VALUES = (RecursionError, OverflowError, ValueError)
"""What hostile values, including bad UTF-8, raise in a reader or a block. It costs what holds them, not the build."""
FILES = "files"
"""The reader's name in refusals of files of unknown format."""


class Readers:
    """The readers of a recipe's inputs, each made when it is first needed."""

    def __init__(self, inputs: Sequence[Input]) -> None:
        self._inputs = inputs
        self._made = dict[tuple[int, str], Reader]()

    def of(self, file: SourceFile) -> Reader:
        """The reader of a file of a known format. Raises `InputError` if a package that it needs is missing."""
        assert file.format
        key = file.input, file.format
        if key not in self._made:
            module, _, name = READERS[file.format].partition(":")
            made = getattr(import_module(f"tuili.data.pipeline.readers.{module}"), name)
            self._made[key] = made(self._inputs[file.input])
        return self._made[key]

    def outline(self, number: int, file: SourceFile) -> list[Item]:
        """The items of a file that foreign code splits."""
        return self.of(file).outline(number, file)

    def read(self, item: Item, file: SourceFile, pipeline: Pipeline) -> list[Outcome]:
        """The outcomes of an item, as far as they depend on it alone."""
        if item.fault is not None:
            return [Refused(file.format or FILES, item.fault)]
        outcomes, name = list[Outcome](), str(file.format)
        try:
            for found in self.of(file).read(file, item):
                if isinstance(found, Document):
                    outcomes += processed(found, name, pipeline)
                else:
                    outcomes.append(Refused(name, found))
        except MemoryError:
            message = "reading it takes more memory than a worker may have: split it"
            return [Refused(name, Refusal(item.place, ReadFault.TOO_MUCH_MEMORY, message))]
        except TuiliError:
            raise
        except _OF_ITS_VALUES as error:
            outcomes.append(_failed(item.place, name, error))
        return outcomes


class Corpus:
    """The files of a corpus with the readers that they need."""

    def __init__(self, inputs: Sequence[Input], files: Sequence[SourceFile]) -> None:
        """Raises `InputError` if a package that a reader needs is not installed."""
        self.files, self.readers = files, Readers(inputs)
        made = [self.readers.of(file) for file in files if file.format]
        self.needs_worker = any(reader.parses for reader in made)
        """Whether foreign code, which a hostile file may crash, reads some of the files."""

    def items(
        self, outline: Callable[[int], list[Item]], file: int = 0, item: int = 0, *, end: int | None = None
    ) -> Iterator[Item]:
        """The items of all files, from an item of a file on, up to but excluding the file `end`.

        outline: calls `Corpus.outline` where that is safe.
        """
        for number in range(file, len(self.files) if end is None else end):
            start = item if number == file else 0
            source = self.files[number]
            if source.format is None:
                if start == 0:
                    yield Item(number, 0, source.name, fault=_unknown(source))
            elif self.readers.of(source).outlines:
                yield from outline(number)[start:]
            else:
                yield from self.readers.of(source).items(number, source, start)

    def outline(self, number: int) -> list[Item]:
        """The items of a file that foreign code splits."""
        return self.readers.outline(number, self.files[number])

    def read(self, item: Item, pipeline: Pipeline) -> list[Outcome]:
        """The outcomes of an item, as far as they depend on it alone."""
        return self.readers.read(item, self.files[item.file], pipeline)


def processed(document: Document, reader: str, pipeline: Pipeline) -> Sequence[Outcome]:
    """The outcomes of a document, which is refused if its values make a block fail."""
    try:
        return pipeline.process(document)
    except TuiliError:
        raise
    except _OF_ITS_VALUES as error:
        return [_failed(document.place, reader, error)]


def _failed(place: str, reader: str, error: Exception) -> Refused:
    message = f"reading it failed: {type(error).__name__}: {one_line(error)}"
    return Refused(reader, Refusal(place, ReadFault.CRASHED, message))


def _unknown(file: SourceFile) -> Refusal:
    try:
        mode = file.path.stat().st_mode
    except OSError as error:
        is_gone = error.errno == errno.ENOENT
        why = "a link to nowhere: mend it, or remove it" if is_gone else str(error.strerror)
        return Refusal(file.name, ReadFault.UNREADABLE, why)
    if not stat.S_ISREG(mode):
        what = "not a regular file: leave it out"
        if stat.S_ISDIR(mode):
            what = "a folder that cannot be read: allow it"
            if file.path.is_symlink():
                what = "a link to a folder, which is not followed: name that folder as an input of its own"
        return Refusal(file.name, ReadFault.UNREADABLE, what)
    message = "its name tells no format: name the format of the input, or leave the file out"
    return Refusal(file.name, ReadFault.UNKNOWN_FORMAT, message)


def batches(items: Iterator[Item]) -> Iterator[list[Item]]:
    """Group items into batches of `BATCH_ITEMS` and about `BATCH_BYTES`.

    Adjacent items with the same place, which are parts of a row group, stay together up to `GROUP_BYTES`: each process
    that reads some of them must also decode what precedes them.
    """
    batch, weight = list[Item](), 0
    for item in items:
        full = len(batch) >= BATCH_ITEMS or weight >= BATCH_BYTES
        if full and (item.place != batch[-1].place or weight >= GROUP_BYTES):
            yield batch
            batch, weight = [], 0
        batch.append(item)
        weight += item.weight
    if batch:
        yield batch
