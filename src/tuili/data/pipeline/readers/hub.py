"""A dataset of the Hugging Face hub, given by name, or a local dataset folder, read as a stream of rows."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from tuili.data.pipeline.document import Document, ReadFault, Refusal
from tuili.data.pipeline.readers.inputs import Input, Item, SourceFile
from tuili.data.pipeline.readers.reader import Reader, json_fields, needed
from tuili.errors import InputError, TuiliError, one_line

_OF_THE_FORMAT = (ValueError, TypeError, KeyError, EOFError, zlib.error)
"""Errors that damaged files raise, including Arrow's. Any other error may be temporary: of the network, the system."""


class DatasetReader(Reader):
    """Reads the rows of a split. Columns other than the text become metadata if JSON can hold them."""

    parses = False

    def __init__(self, settings: Input) -> None:
        """Raises `InputError` if the package datasets is not installed."""
        super().__init__(settings)
        needed("datasets", "datasets of the hub")

    def items(self, number: int, file: SourceFile, start: int) -> Iterator[Item]:
        """Yield the rows from number `start` on.

        Raises `InputError` if the dataset has no such split or configuration, and `TuiliError` if the network or the
        disk fails: refusing the remaining rows would lose them.
        """
        count = max(start - 1, 0)  # if the row before cannot be read, this was already reported, and nothing is left
        try:
            for row in self._rows(file, count):
                if count >= start:
                    data = msgspec.json.encode(json_fields(row, self.settings.text), enc_hook=_left_out)
                    yield Item(number, count, self._place(file, count), data, len(data))
                count += 1
            if not count and not start:
                refusal = Refusal(file.name, ReadFault.EMPTY, f"{self.settings.split} has no row: leave it out")
                yield Item(number, 0, file.name, fault=refusal)
        except TuiliError:
            raise
        except Exception as error:
            place, why = self._place(file, count), one_line(error)
            if not isinstance(error, _OF_THE_FORMAT) or isinstance(error.__cause__, OSError):
                raise TuiliError(f"{place}: {why}; what is done is kept: start the same command again") from error
            if count < start:
                return
            message = f"{why}: nothing can be read from this row on"
            yield Item(number, count, place, fault=Refusal(place, ReadFault.DAMAGED, message))

    def _place(self, file: SourceFile, count: int) -> str:
        return f"{file.name}#{self.settings.split}={count + 1}"

    def _rows(self, file: SourceFile, start: int) -> Iterator[dict[str, Any]]:
        from datasets import load_dataset

        own = self.settings
        revision = None if own.path.is_dir() else file.version
        try:
            rows = load_dataset(str(own.path), own.configuration, split=own.split, streaming=True, revision=revision)
        except (ValueError, FileNotFoundError) as error:
            raise InputError(f"dataset {own.path}: {one_line(error)}") from error
        yield from rows.skip(start) if start else rows

    def read(self, file: SourceFile, item: Item) -> Iterator[Document | Refusal]:
        """The document of a row."""
        yield self.row(item.place, msgspec.json.decode(item.data))


def _left_out(value: Any) -> None:
    """Encode a value that JSON cannot hold, such as a picture in the text column, as null."""


def version_of(given: Input) -> str:
    """The current version of a dataset: a hash of the names, sizes and times in its folder, or its commit on the hub.

    Raises `TuiliError` if the hub cannot be asked, and `InputError` for a revision of a local folder.
    """
    if given.path.is_dir():
        if given.revision:
            raise InputError(f"dataset {given.path}: revision is one of the hub, and this is a folder: leave it out")
        return folder_hash(given.path)
    from huggingface_hub import HfApi

    try:
        return str(HfApi().dataset_info(str(given.path), revision=given.revision).sha)
    except Exception as error:  # from the network or the hub
        raise TuiliError(f"dataset {given.path}: the hub does not tell its commit: {one_line(error)}") from error


def folder_hash(folder: Path) -> str:
    """A hash of the names, sizes and times of all files below a folder."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            found = path.stat()
            digest.update(
                f"{path.relative_to(folder)}\0{found.st_size}\0{found.st_mtime_ns}\n".encode(errors="surrogateescape")
            )
    return digest.hexdigest()
