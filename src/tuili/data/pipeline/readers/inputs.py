"""Defines what is read: an input of a recipe, a file of the input, and the items into which a file is split."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
from pydantic import Field

from tuili.config import Config
from tuili.data.pipeline.document import Refusal

Format = Literal["jsonl", "parquet", "text", "html", "pdf", "dataset"]


class Input(Config):
    """One input of a recipe: a file, a folder of files, or a dataset, with how it is read."""

    path: Path = Field(description="A file, or a folder that is searched; for a dataset its name or folder.")
    format: Literal["auto", "jsonl", "parquet", "text", "html", "pdf", "dataset"] = Field(
        "auto", description="How files are read; auto goes by the ends of their names."
    )
    name: str | None = Field(
        None,
        min_length=1,
        pattern="^[^/]+$",
        description="What its documents' places begin with; by default its own name.",
    )
    kind: str | None = Field(None, description="The kind of text; by default web for HTML, paper for PDF, else prose.")
    text: str = Field("text", description="The field of JSONL, Parquet and datasets that holds the text.")
    questions: bool = Field(
        False, description="Whether rows of questions are told by their keys: their text is `input` or `question`."
    )
    id: str | None = Field(None, description="The field that holds a unique name; by default the place is the name.")
    kind_field: str | None = Field(None, description="The field that holds the kind of text, where documents differ.")
    encoding: str = Field("utf-8", description="The encoding of plain text, as Python names it.")
    extractor: Literal["resiliparse", "trafilatura"] = Field(
        "resiliparse", description="What finds the main text of HTML; trafilatura is slower."
    )
    split: str = Field("train", description="The split of a dataset.")
    configuration: str | None = Field(None, description="The configuration of a dataset, where it has several.")
    revision: str | None = Field(None, description="The commit, branch or tag of a dataset of the hub.")


class SourceFile(NamedTuple):
    """A file of an input."""

    path: Path
    name: str
    """The file's name in places: the input's name and the path in it, whatever folder holds the input."""
    format: Format | None
    """None if the name does not indicate a format."""
    input: int
    """The index of the recipe's input that the file belongs to."""
    size: int
    """Bytes."""
    changed: int
    """When it was last changed, in nanoseconds."""
    version: str = ""
    """For a dataset: the commit on the hub, or a hash of the contents of its folder."""

    def packed(self) -> PackedFile:
        """The fields for another process."""
        return (os.fsencode(self.path.absolute()), *self[1:])

    @classmethod
    def unpacked(cls, fields: PackedFile) -> SourceFile:
        """Rebuild the file from such fields."""
        return cls(Path(os.fsdecode(fields[0])), *fields[1:])


PackedFile = tuple[bytes, str, Format | None, int, int, int, str]


class Item(msgspec.Struct, array_like=True, frozen=True):
    """The part of a file that is read at a time: a line, some rows, or the whole file."""

    file: int
    """The number of the file in the corpus."""
    number: int
    """The number of the item in its file, from 0."""
    place: str
    data: bytes = b""
    """The line itself, or data that tells the reader which part to read."""
    weight: int = 0
    """The approximate number of bytes to read."""
    offset: int = 0
    """The number of bytes of the file up to the end of this item, for progress reports."""
    fault: Refusal | None = None
    """Set if the item has already been found unreadable."""
