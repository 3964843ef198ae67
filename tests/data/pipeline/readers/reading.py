"""Reading a file as a build does, in this process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tuili.data.pipeline.document import Document, Refusal
from tuili.data.pipeline.pipeline import Pipeline, Refused
from tuili.data.pipeline.readers.files import find_files
from tuili.data.pipeline.readers.inputs import Input
from tuili.data.pipeline.reading import Corpus


def read(path: Path, *, start: int = 0, **options: Any) -> list[Document | Refusal]:
    """Everything that a file or folder gives, from item number `start` of its first file on."""
    given = Input.model_validate({"path": path, **options})
    files = find_files([given])
    corpus = Corpus([given], files)
    found = list[Document | Refusal]()
    for item in corpus.items(corpus.outline, 0, start):
        if item.fault is None:
            found += corpus.readers.of(files[item.file]).read(files[item.file], item)
        else:
            found += (one.refusal for one in corpus.read(item, Pipeline([])) if isinstance(one, Refused))
    return found


def with_plain_ends(text: str) -> str:
    """A text as documents have it, whose lines all end alike."""
    return "\n".join(part for line in text.split("\r\n") for part in line.split("\r"))
