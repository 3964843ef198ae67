"""Steps of datatrove, for its local, Slurm and Ray executors. Needs datatrove, from the extra `scale`.

`ReadShare`, in any number of tasks, followed by `WriteCorpus`, in one task, builds what `tuili data build` builds.
`ApplyBlocks` can be combined with datatrove's own readers, filters and writers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import msgspec
from datatrove.data import Document as TroveDocument
from datatrove.pipeline.base import PipelineStep
from pydantic import BaseModel

from tuili.data.pipeline.block import BlockSettings
from tuili.data.pipeline.document import Document, Refusal
from tuili.data.pipeline.pipeline import Asked, Kept, Pipeline, Refused
from tuili.data.pipeline.readers.inputs import Input
from tuili.data.pipeline.readers.jsonl import JsonlReader
from tuili.data.pipeline.readers.reader import json_fields
from tuili.data.pipeline.reading import processed
from tuili.data.pipeline.recipe import BuildSettings
from tuili.data.pipeline.scale.shares import join_shares, read_share
from tuili.errors import InputError

_READER = "read"
"""The reader's name in refusals of documents that datatrove has read but that are not valid."""


class _BuildStep(PipelineStep):
    """The common part of both steps of a build: its settings, with file paths made absolute."""

    type = "🦉 - TUILI"

    def __init__(self, settings: BuildSettings, folder: Path | str) -> None:
        super().__init__()
        self.settings: BuildSettings = _from_anywhere(settings)
        self.folder = Path(folder).absolute()


class ReadShare(_BuildStep):
    """Reads one share of the inputs per task, and sends its documents through the blocks."""

    name = "read a share"

    def __init__(self, settings: BuildSettings, folder: Path | str, *, workers: int = 1) -> None:
        """folder: the folder that `WriteCorpus` will write. workers: the number of processes of each task; each has the
        limits of the recipe.
        """
        super().__init__(settings, folder)
        self.workers = workers

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> Iterator[TroveDocument]:
        """Read the share. Yields no documents, so that datatrove need not write any."""
        with self.track_time("share"):
            counts = read_share(self.settings, self.folder, rank, world_size, workers=self.workers)
        for name, count in counts.items():
            self.stat_update(name, value=count, unit="share")
        yield from ()


class WriteCorpus(_BuildStep):
    """Writes the corpus after all shares have been read. It is the whole pipeline of one task."""

    name = "write the corpus"

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> Iterator[TroveDocument]:
        """Write the corpus. Raises `InputError` for more than one task, and if a share is missing."""
        if world_size != 1:
            raise InputError(f"WriteCorpus runs in one task, and not in {world_size}: set tasks=1")
        with self.track_time("corpus"):
            built = join_shares(self.settings, self.folder)
        for name, count in built.manifest["documents"].items():
            self.stat_update(name, value=count, unit="corpus")
        yield from ()


class ApplyBlocks(PipelineStep):
    """Sends datatrove's documents through blocks that look at one document at a time."""

    type = "🔻 - FILTER"
    name = "Tuili's blocks"

    def __init__(self, blocks: Sequence[BlockSettings], *, kind: str = "web", exclusion_writer: Any = None) -> None:
        """kind: the kind of text for documents whose metadata have no `kind`. exclusion_writer: a datatrove writer for
        dropped documents (of a part of a document, only its beginning), with `filter_reason` in the metadata, such as
        `basic/few_words`, and the `measured` values.

        Raises `InputError` if a file that a block needs cannot be read, and for a block that must know the order of the
        corpus, such as `dedup`: `ReadShare` and `WriteCorpus` run those.
        """
        super().__init__()
        self.blocks: tuple[BlockSettings, ...] = _from_anywhere(tuple(blocks))
        self.kind, self.exclusion_writer = kind, exclusion_writer
        for _, block in self._pipeline().ordered:
            raise InputError(f"{block.name} must know the documents before: build by ReadShare and WriteCorpus")

    def _pipeline(self) -> Pipeline:
        return Pipeline([block.build() for block in self.blocks])

    def run(self, data: Any, rank: int = 0, world_size: int = 1) -> Iterator[TroveDocument]:
        """Yield the documents that pass, with what the blocks recorded in their metadata."""
        pipeline, reader = self._pipeline(), JsonlReader(Input(path=Path(_READER)))
        with self.exclusion_writer or nullcontext() as writer:
            for given in data or ():
                self.stat_update("total")
                with self.track_time():
                    ends = list(self._ends(given, pipeline, reader))
                for document, reason in ends:
                    self.stat_update("dropped" if reason else "forwarded")
                    if not reason:
                        self.update_doc_stats(document)
                        yield document
                        continue
                    self.stat_update(f"dropped_{reason}")
                    if writer:
                        writer.write(document, rank)

    def _ends(
        self, given: TroveDocument, pipeline: Pipeline, reader: JsonlReader
    ) -> Iterator[tuple[TroveDocument, str]]:
        """Yield a document, or its parts, each with the reason for which it is dropped, or an empty one."""
        passed = json_fields(given.metadata, "")
        found = reader.document(given.id, given.text, passed)
        if isinstance(found, Refusal):
            yield _with(given, filter_reason=f"{_READER}/{found.fault}"), f"{_READER}/{found.fault}"
            return
        kind = str(given.metadata.get("kind", self.kind))
        for outcome in processed(msgspec.structs.replace(found, kind=kind), _READER, pipeline):
            assert not isinstance(outcome, Asked)
            if isinstance(outcome, Kept):
                kept = msgspec.json.decode(outcome.line, type=Document)
                noted = {key: value for key, value in kept.metadata.items() if value != passed.get(key)}
                record = {"record": kept.record} if kept.record else {}
                kinds = {} if kept.kind == kind else {"kind": kept.kind}
                yield _with(given, kept.text, kept.id, **noted, **kept.measures, **record, **kinds), ""
            elif isinstance(outcome, Refused):
                reason = f"{outcome.reader}/{outcome.refusal.fault}"
                yield _with(given, filter_reason=reason), reason
            else:
                reason = f"{outcome.block}/{outcome.drop.reason}"
                trace, measured = outcome.trace, {"measured": outcome.drop.measured}
                text = given.text if trace.id == given.id else trace.excerpt  # of a part, only the beginning is known
                yield _with(given, text, trace.id, filter_reason=reason, **measured), reason


def _with(
    given: TroveDocument, text: str | None = None, identity: str | None = None, /, **metadata: Any
) -> TroveDocument:
    """A copy of the document with other values."""
    text, identity = given.text if text is None else text, identity or given.id
    return TroveDocument(text=text, id=identity, media=given.media, metadata={**given.metadata, **metadata})


def _from_anywhere(value: Any) -> Any:
    """Make the paths in settings absolute, because tasks run in folders of their own."""
    match value:
        case Input(format="dataset") if not value.path.is_dir():  # a name on the hub is not a path
            return value
        case BaseModel():
            return value.model_copy(update={name: _from_anywhere(part) for name, part in value})
        case tuple():
            return tuple(map(_from_anywhere, value))
        case Path():
            return value.absolute()
        case _:
            return value
