"""What readers have in common: an input of a recipe, a file of it, and the items that a file is cut into.

A file is cut into items in one process, cheaply and in order; an item is read into documents in any process.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import msgspec
from pydantic import Field

from tuili.config import Config
from tuili.data.pipeline.document import MAX_CHARACTERS, Document, ReadFault, Refusal
from tuili.errors import InputError, one_line

Format = Literal["jsonl", "parquet", "text", "html", "pdf", "dataset"]
MAX_FILE = 2**26
"""Bytes of a file that is one document."""


_OWN = frozenset({"text", "id", "place", "kind"})
_OWN_ALL = _OWN | {"metadata", "measures", "record"}
"""The fields of a document as a pipeline writes it."""


class Input(Config):
    """One input of a recipe: a file, a folder of files, or a dataset, with how it is read."""

    path: Path = Field(description="A file, or a folder that is searched; for a dataset its name or folder.")
    format: Literal["auto", "jsonl", "parquet", "text", "html", "pdf", "dataset"] = Field(
        "auto", description="How files are read; auto goes by the ends of their names."
    )
    kind: str | None = Field(None, description="The kind of text; by default web for HTML, paper for PDF, else prose.")
    text: str = Field("text", description="The field of JSONL, Parquet and datasets that holds the text.")
    id: str | None = Field(None, description="The field that holds a unique name; by default the place is the name.")
    kind_field: str | None = Field(None, description="The field that holds the kind of text, where documents differ.")
    encoding: str = Field("utf-8", description="The encoding of plain text, as Python names it.")
    extractor: Literal["resiliparse", "trafilatura"] = Field(
        "resiliparse", description="What finds the main text of HTML; trafilatura is ten times slower."
    )
    split: str = Field("train", description="The split of a dataset.")
    configuration: str | None = Field(None, description="The configuration of a dataset, where it has several.")


class SourceFile(NamedTuple):
    """A file of an input."""

    path: Path
    name: str
    """What it is called in places: the input's name and the path in it, whatever folder the input stands in."""
    format: Format | None
    """None where its name tells none."""
    input: int
    """Which of the recipe's inputs it belongs to."""
    size: int
    """Bytes."""
    changed: int
    """When it was last changed, in nanoseconds."""


class Item(msgspec.Struct, array_like=True, frozen=True):
    """A part of a file that is read at a time: a line, some rows, or the whole file."""

    file: int
    """The number of the file in the corpus."""
    number: int
    """The number of the item in its file, from 0."""
    place: str
    data: bytes = b""
    """The line itself, or what tells the reader which part is meant."""
    weight: int = 0
    """About how many bytes reading it takes."""
    offset: int = 0
    """How many bytes of the file lie before its end: for progress."""
    fault: Refusal | None = None
    """Set where the item was found unreadable already."""


class Reader(ABC):
    """Reads the files of one format as an input says."""

    default_kind: ClassVar[str] = "prose"
    parses: ClassVar[bool] = True
    """Whether foreign code in C reads the file, which a hostile file may crash: it then runs in a worker process."""
    outlines: ClassVar[bool] = False
    """Whether to cut a file into items takes such code, too: `outline` is then called in a worker."""

    def __init__(self, settings: Input) -> None:
        """Raises `InputError` where a package that it needs is not installed."""
        self.settings = settings
        self.kind = settings.kind or self.default_kind

    def items(self, number: int, file: SourceFile, start: int) -> Iterator[Item]:
        """The items of a file from number `start` on. By default the file is one item."""
        if start == 0:
            yield Item(number, 0, file.name, weight=file.size, offset=file.size)

    def outline(self, number: int, file: SourceFile) -> list[Item]:
        """All items of a file at once, for readers that outline."""
        return list(self.items(number, file, 0))

    @abstractmethod
    def read(self, file: SourceFile, item: Item) -> Iterator[Document | Refusal]:
        """The documents of an item, and what of it cannot be read."""

    def document(self, place: str, text: Any, metadata: dict[str, Any]) -> Document | Refusal:
        """A document, or why there is none: the text is no text, empty, too long or has half characters."""
        if not isinstance(text, str):
            return Refusal(place, ReadFault.NO_TEXT, f"{self.settings.text} should be a text, not {_name_of(text)}")
        if len(text) > MAX_CHARACTERS:
            message = f"{len(text):,} characters: split it into documents of at most {MAX_CHARACTERS:,}"
            return Refusal(place, ReadFault.TOO_LONG, message)
        if not text or text.isspace():
            return Refusal(place, ReadFault.EMPTY, "there is no text")
        try:
            text.encode()
        except UnicodeEncodeError as error:
            return Refusal(place, ReadFault.WRONG_ENCODING, f"character {error.start} is half a character")
        if "\0" in text:
            message = f"character {text.index(chr(0))} is a null: this is no text, or not in this encoding"
            return Refusal(place, ReadFault.WRONG_ENCODING, message)
        return Document(text, place, place, self.kind, metadata)

    def row(self, place: str, fields: dict[str, Any]) -> Document | Refusal:
        """The document of a row of JSONL, Parquet or a dataset. Fields without a meaning of their own are metadata."""
        own = self.settings
        if fields.keys() >= _OWN and fields.keys() <= _OWN_ALL:  # a document that a pipeline has written
            return self._again(place, fields)
        for name in filter(None, (own.text, own.id, own.kind_field)):
            if name not in fields:
                known = ", ".join(list(fields)[:8]) or "none"
                return Refusal(place, ReadFault.NO_TEXT, f"there is no field {name!r}; its fields: {known}")
        rest = {key: value for key, value in fields.items() if key not in (own.text, own.id, own.kind_field)}
        try:
            msgspec.json.encode(rest)
        except (OverflowError, RecursionError) as error:
            return Refusal(place, ReadFault.NOT_JSON, f"its other fields cannot be written: {one_line(error)}")
        document = self.document(place, fields[own.text], rest)
        if isinstance(document, Refusal) or not (own.id or own.kind_field):
            return document
        identity = str(fields[own.id]) if own.id else document.id
        kind = str(fields[own.kind_field]) if own.kind_field else document.kind
        return msgspec.structs.replace(document, id=identity, kind=kind)

    def _again(self, place: str, fields: dict[str, Any]) -> Document | Refusal:
        document = self.document(place, fields["text"], {})
        if isinstance(document, Refusal):
            return document
        try:
            held = {name: msgspec.json.decode(value) for name, value in fields.items() if _is_packed(name, value)}
            again = msgspec.convert({**fields, **held}, Document)
        except (msgspec.MsgspecError, RecursionError) as error:
            return Refusal(place, ReadFault.NO_TEXT, f"looks like a document of a pipeline, but: {error}")
        return msgspec.structs.replace(again, kind=self.settings.kind or again.kind)


def _is_packed(name: str, value: Any) -> bool:
    """Whether it is JSON in a column of Parquet."""
    return name in ("metadata", "measures") and isinstance(value, str)


def needed(package: str, what: str) -> None:
    """Raise `InputError` where an optional package is not installed."""
    if find_spec(package) is None:
        raise InputError(f"{what} cannot be read without {package}: pip install 'tuili[documents]'")


def read_whole(file: SourceFile) -> bytes | Refusal:
    """The bytes of a file that is one document, or why it cannot be read."""
    if file.size > MAX_FILE:
        message = f"{file.size >> 20:,} MiB: split it into documents of at most {MAX_FILE >> 20} MiB"
        return Refusal(file.name, ReadFault.TOO_LONG, message)
    try:
        with file.path.open("rb") as stream:
            return stream.read(MAX_FILE + 1)
    except OSError as error:
        return Refusal(file.name, ReadFault.UNREADABLE, error.strerror or str(error))


def _name_of(value: Any) -> str:
    return {type(None): "null", bool: "a truth value", int: "a number", float: "a number", list: "a list"}.get(
        type(value), "an object"
    )
