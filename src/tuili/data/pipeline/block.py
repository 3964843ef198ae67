"""Blocks, the elements of a pipeline. A block passes, changes or splits a document, or drops it with a reason that the
block defines.

To write a block, subclass `Block`, or `OrderedBlock` if it must know the earlier documents; derive its settings from
`BlockSettings`; and add them to the union in `blocks`. `pipeline` and `building` run the blocks.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, ClassVar

from tuili.config import Config
from tuili.data.pipeline.document import Document, Drop

PORTABLE = {"portable": True}
"""The context for writing settings to a manifest: files by name and hash, without their folder."""


def fingerprint(path: Path) -> dict[str, str | None]:
    """Describe a file that a block needs, for the manifest; without a hash if the file cannot be read."""
    try:
        with path.open("rb") as file:
            return {"name": path.name, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
    except OSError:  # reported when the block is built
        return {"name": path.name, "sha256": None}


class AnyBlock(ABC):
    """What both kinds of block have in common."""

    name: ClassVar[str]
    """The name in recipes, manifests and reports."""
    Reason: ClassVar[type[StrEnum]]
    """Every reason for which the block drops a document."""
    routes: ClassVar[bool] = False
    """Whether the block assigns a domain to every document that it keeps."""

    def notes(self) -> list[str]:
        """What users should know about a build with this block, one sentence each. The manifest holds the notes, and
        the command prints them."""
        return []

    def drop(self, reason: StrEnum, **measured: float | str) -> Drop:
        """Make a drop for one of the block's reasons, with the measured values."""
        assert isinstance(reason, self.Reason), f"{reason!r} is no reason of the block {self.name}"
        numbers = {name: value if isinstance(value, str) else float(value) for name, value in measured.items()}
        return Drop(reason.value, numbers)


class Block(AnyBlock):
    """A block that looks at one document at a time: the same document always has the same outcome.

    It may therefore run in any process, in any order, and more than once.
    """

    @abstractmethod
    def apply(self, document: Document) -> Document | Drop | Sequence[Document | tuple[Document, Drop]]:
        """Return the document, possibly changed; or a drop; or the one or more documents that it is split into, each
        of which may carry a drop.

        The parts of a split document need ids of their own, such as `f"{document.id}/{number}"`.
        """


class OrderedBlock(AnyBlock):
    """A block that must know the earlier documents: it keeps or drops, and changes nothing.

    Its costly part, `prepare`, runs in any process. `decide` runs in one process, in corpus order, for every document
    that reaches the block. Its memory is journalled: `learnt` returns what was added since the last call, and when a
    killed build is resumed, `restore` receives all of that again, in order.
    """

    @abstractmethod
    def prepare(self, document: Document) -> bytes:
        """Compute what `decide` needs of a document, such as its signature. Depends on the document alone."""

    @abstractmethod
    def decide(self, identity: str, prepared: bytes) -> Drop | None:
        """Return a drop, or None to keep. identity: the document's id, which drops of similar later documents name."""

    @abstractmethod
    def learnt(self) -> bytes:
        """Return what was learnt since the last call, in a form that can be appended to earlier results."""

    @abstractmethod
    def restore(self, journal: BinaryIO) -> None:
        """Learn again from the journal what earlier calls of `learnt` returned. Called once, before any `decide`."""


class BlockSettings(Config):
    """The settings of a block in a recipe. A subclass adds `block: Literal["name"]`, and `build`."""

    makes_records: ClassVar[bool] = False
    """Whether the block can attach training records to documents."""

    def excepted_kinds(self) -> tuple[str, ...]:
        """The kinds of text that the user has excepted from this block."""
        return ()

    def build(self) -> AnyBlock:
        """Build the block. It reads the files it needs here, so that a fault in them shows before the work begins."""
        raise NotImplementedError
