"""Blocks: what a pipeline is a list of. A document passes a block, is changed or split by it, or is dropped by it with
a reason that the block names.

To write a block, subclass `Block`, or `OrderedBlock` where it must know the documents before; give it settings derived
from `BlockSettings`; and add those to the union in `blocks`. How blocks are run is left to `pipeline` and `building`.
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
"""The context in which settings are written for a manifest: files by name and hash, without their folder."""


def fingerprint(path: Path) -> dict[str, str | None]:
    """A file that a block needs, as the manifest tells it; without a hash where it cannot be read."""
    try:
        with path.open("rb") as file:
            return {"name": path.name, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
    except OSError:  # told where the block is built
        return {"name": path.name, "sha256": None}


class AnyBlock(ABC):
    """What both kinds of block have."""

    name: ClassVar[str]
    """The name in recipes, manifests and reports."""
    Reason: ClassVar[type[StrEnum]]
    """Every reason for which it drops."""
    routes: ClassVar[bool] = False
    """Whether it tells the domain of every document that it keeps."""

    def notes(self) -> list[str]:
        """What people should know of a build with it, a sentence each: the manifest has them, and the command prints
        them."""
        return []

    def drop(self, reason: StrEnum, **measured: float | str) -> Drop:
        """A drop for one of the block's reasons, with what was measured."""
        assert isinstance(reason, self.Reason), f"{reason!r} is no reason of the block {self.name}"
        numbers = {name: value if isinstance(value, str) else float(value) for name, value in measured.items()}
        return Drop(reason.value, numbers)


class Block(AnyBlock):
    """A block that looks at one document at a time: the same document always has the same outcome.

    So it may run in any process, in any order, and more than once.
    """

    @abstractmethod
    def apply(self, document: Document) -> Document | Drop | Sequence[Document | tuple[Document, Drop]]:
        """The document, possibly changed; or a drop; or the documents, one or more, that it is split into, some of
        them perhaps with a drop.

        Documents made of one need ids of their own, such as `f"{document.id}/{number}"`.
        """


class OrderedBlock(AnyBlock):
    """A block that must know the documents before: it keeps or drops, and changes nothing.

    Its costly part, `prepare`, runs in any process. `decide` runs in one process, in the order of the corpus, for every
    document that reaches the block. What it remembers is journalled: `learnt` gives what has come since the last call,
    and `restore` is given all of that again, in order, where a build goes on after it was killed.
    """

    @abstractmethod
    def prepare(self, document: Document) -> bytes:
        """What `decide` needs of a document, such as its signature. Depends on the document alone."""

    @abstractmethod
    def decide(self, identity: str, prepared: bytes) -> Drop | None:
        """A drop, or None to keep. identity: the document's id, to be named where a later one is like it."""

    @abstractmethod
    def learnt(self) -> bytes:
        """What it has learnt since the last call, in a form that can be appended to what it gave before."""

    @abstractmethod
    def restore(self, journal: BinaryIO) -> None:
        """Learn again what earlier calls of `learnt` gave. It is called once, before the first `decide`."""


class BlockSettings(Config):
    """The settings of a block in a recipe. A subclass adds `block: Literal["name"]`, and `build`."""

    makes_records: ClassVar[bool] = False
    """Whether its documents may have training records."""

    def excepted_kinds(self) -> tuple[str, ...]:
        """The kinds of text that a user has named for it to leave alone."""
        return ()

    def build(self) -> AnyBlock:
        """The block. Files that it needs are read here, so that a fault in them shows before the work begins."""
        raise NotImplementedError
