"""What is read: an input of a recipe, a file of it, and the items that a file is cut into."""

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
    """What it is called in places: the input's name and the path in it, whatever folder the input stands in."""
    format: Format | None
    """None where its name tells none."""
    input: int
    """Which of the recipe's inputs it belongs to."""
    size: int
    """Bytes."""
    changed: int
    """When it was last changed, in nanoseconds."""
    version: str = ""
    """Of a dataset: the commit on the hub, or a hash of what its folder holds."""

    def packed(self) -> PackedFile:
        """The fields for another process."""
        return (os.fsencode(self.path.absolute()), *self[1:])

    @classmethod
    def unpacked(cls, fields: PackedFile) -> SourceFile:
        """The file of such fields."""
        return cls(Path(os.fsdecode(fields[0])), *fields[1:])


PackedFile = tuple[bytes, str, Format | None, int, int, int, str]


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
