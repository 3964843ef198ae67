"""What readers have in common: they make documents of texts and rows, or refuse them with what is wrong.

One process splits a file into items, cheaply and in order; any process reads an item into documents.
"""

from __future__ import annotations

import datetime
import errno
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from decimal import Decimal
from importlib.util import find_spec
from typing import Any, ClassVar
from uuid import UUID

import msgspec

from tuili.data.pipeline.document import MAX_CHARACTERS, Document, ReadFault, Refusal
from tuili.data.pipeline.readers.inputs import Input, Item, SourceFile
from tuili.data.readers.questions import QUESTION_FIELDS, form_of, instructed
from tuili.errors import InputError, TuiliError, one_line

MAX_FILE = 2**26
"""The maximum bytes of a file that is one document."""
MOST_MEASURED = 1e300
_LASTING = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ELOOP, errno.ENXIO, errno.ENAMETOOLONG}
)
"""Errors of the operating system that describe a file. Others, such as those of a network disk, may be temporary."""
_AS_TEXTS = (datetime.date, datetime.time, datetime.timedelta, Decimal, UUID)
_OWN = frozenset({"text", "id", "place", "kind"})
_OWN_ALL = _OWN | {"metadata", "measures", "record"}
"""The fields of a document as a pipeline writes it."""


class Reader(ABC):
    """Reads the files of one format, according to the settings of an input."""

    default_kind: ClassVar[str] = "prose"
    parses: ClassVar[bool] = True
    """Whether foreign C code, which a hostile file may crash, reads the file, so that it must run in a worker."""
    outlines: ClassVar[bool] = False
    """Whether splitting a file into items takes such code, too: `outline` is then called in a worker."""

    def __init__(self, settings: Input) -> None:
        """Raises `InputError` if a required package is not installed."""
        self.settings = settings
        self.kind = settings.kind or self.default_kind

    def items(self, number: int, file: SourceFile, start: int) -> Iterator[Item]:
        """Yield the items of a file from number `start` on. By default, the file is one item."""
        if start == 0:
            yield Item(number, 0, file.name, weight=file.size, offset=file.size)

    def outline(self, number: int, file: SourceFile) -> list[Item]:
        """All items of a file at once, for readers with `outlines` set."""
        return list(self.items(number, file, 0))

    @abstractmethod
    def read(self, file: SourceFile, item: Item) -> Iterator[Document | Refusal]:
        """Yield the documents of an item, and a refusal for each part that cannot be read."""

    def document(self, place: str, text: Any, metadata: dict[str, Any]) -> Document | Refusal:
        """A document, whose lines end in `\\n`, or the reason for refusing it: it is not text, empty, too long or has
        unpaired surrogates."""
        if not isinstance(text, str):
            return Refusal(place, ReadFault.NO_TEXT, f"{self.settings.text} should be a text, not {_name_of(text)}")
        if len(text) > MAX_CHARACTERS:
            message = f"more than {MAX_CHARACTERS:,} characters: split it into shorter documents"
            return Refusal(place, ReadFault.TOO_LONG, message)
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        if not text or text.isspace():
            return Refusal(place, ReadFault.EMPTY, "there is no text: leave it out")
        try:
            text.encode()
        except UnicodeEncodeError as error:
            message = f"character {error.start} is half a character: write it whole"
            return Refusal(place, ReadFault.WRONG_ENCODING, message)
        if "\0" in text:
            message = f"character {text.index(chr(0))} is a null: this is no text, or not in this encoding"
            return Refusal(place, ReadFault.WRONG_ENCODING, message)
        return Document(text, place, place, self.kind, metadata)

    def row(self, place: str, fields: dict[str, Any]) -> Document | Refusal:
        """The document of a row of JSONL, Parquet or a dataset. Fields without a special meaning become metadata."""
        own = self.settings
        if self._is_own(fields):
            return self._again(place, fields)
        if own.questions and "output" in fields and (question := instructed(fields)) is not None:
            fields = {key: value for key, value in fields.items() if key != "instruction"} | {"input": question}
        form = form_of(fields) if own.questions else None
        text = own.text if form is None else QUESTION_FIELDS[form]
        for name in filter(None, (text, own.id, own.kind_field)):
            if name not in fields:
                known = ", ".join(list(fields)[:8]) or "none"
                return Refusal(place, ReadFault.NO_TEXT, f"there is no field {name!r}; its fields: {known}")
            if fields[name] is None and name != text:
                return Refusal(
                    place, ReadFault.NO_TEXT, f"{name} is null: every document needs one, or leave the option out"
                )
        rest = {key: value for key, value in fields.items() if key not in (text, own.id, own.kind_field)}
        try:
            msgspec.json.encode(rest)
        except (OverflowError, RecursionError) as error:
            return Refusal(place, ReadFault.NOT_JSON, f"its other fields cannot be written: {one_line(error)}")
        document = self.document(place, fields[text], rest)
        if isinstance(document, Refusal):
            return document
        if form is not None and own.kind is None:
            document = msgspec.structs.replace(document, kind="problem")
        if not (own.id or own.kind_field):
            return document
        identity = str(fields[own.id]) if own.id else document.id
        kind = str(fields[own.kind_field]) if own.kind_field else document.kind
        return msgspec.structs.replace(document, id=identity, kind=kind)

    def _is_own(self, fields: dict[str, Any]) -> bool:
        """Whether the row is a document that a pipeline has written, and not a user's row with such columns."""
        named = self.settings.text != "text" or self.settings.id or self.settings.kind_field
        fits = fields.keys() >= _OWN and fields.keys() <= _OWN_ALL
        return fits and not named and all(isinstance(fields[name], str) for name in _OWN - {"text"})

    def _again(self, place: str, fields: dict[str, Any]) -> Document | Refusal:
        document = self.document(place, fields["text"], {})
        if isinstance(document, Refusal):
            return document
        try:
            held = {name: msgspec.json.decode(value) for name, value in fields.items() if _is_packed(name, value)}
            again = msgspec.convert({**fields, **held}, Document)
        except (msgspec.MsgspecError, RecursionError) as error:
            return Refusal(place, ReadFault.NO_TEXT, f"looks like a document of a pipeline, but: {error}")
        if not all(math.isfinite(value) and abs(value) <= MOST_MEASURED for value in again.measures.values()):
            return Refusal(place, ReadFault.NOT_JSON, f"a measure is beyond {MOST_MEASURED:g}: give a number below it")
        return msgspec.structs.replace(again, kind=self.settings.kind or again.kind)


def _is_packed(name: str, value: Any) -> bool:
    """Whether a value is JSON in a Parquet column."""
    return name in ("metadata", "measures", "record") and isinstance(value, str)


def needed(package: str, what: str) -> None:
    """Raise `InputError` if an optional package is not installed."""
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
        return unreadable(file.name, error)


def unreadable(place: str, error: OSError, behind: str = "") -> Refusal:
    """Refuse what the operating system does not allow to read. behind: the end of the message.

    Raises `TuiliError` for an error that may be temporary: refusing the rest would lose it.
    """
    if error.errno not in _LASTING:
        raise TuiliError(f"{place}: {one_line(error)}; what is done is kept: start the same command again") from error
    return Refusal(place, ReadFault.UNREADABLE, f"{error.strerror}{behind}")


def _name_of(value: Any) -> str:
    return {type(None): "null", bool: "a truth value", int: "a number", float: "a number", list: "a list"}.get(
        type(value), "an object"
    )


def json_fields(row: dict[str, Any], text: str) -> dict[str, Any]:
    """The columns of a row that JSON can hold and that are not null, and always the text column. Dates, times and
    decimal numbers become texts."""
    told = {key: msgspec.to_builtins(value) if isinstance(value, _AS_TEXTS) else value for key, value in row.items()}
    fields = {key: value for key, value in told.items() if value is not None and _is_json(value)}
    return fields | {text: row[text]} if text in row else fields


def _is_json(value: Any) -> bool:
    try:
        msgspec.json.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError):
        return False
    return isinstance(value, str | int | float | bool | list | dict)
