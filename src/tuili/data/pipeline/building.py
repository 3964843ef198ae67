"""A build: documents in, a folder with shards, a manifest and a report out, in steps that survive `kill -9`.

The folder appears whole, when all is done; until then its work lies beside it, under `NAME.building`. After every step
the shards, the list of drops and the journals are on the disk, then the state that says how long they are. A build
that goes on cuts them back to that, so that what it writes is byte for byte what it would have been.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import accumulate, chain
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from tuili import __version__
from tuili.data.pipeline.pipeline import Dropped, Kept, Pipeline, Refused, Settled
from tuili.data.pipeline.pool import Pool, open_pool
from tuili.data.pipeline.readers.files import find_files, fingerprint
from tuili.data.pipeline.readers.reader import Item, SourceFile
from tuili.data.pipeline.reading import Corpus, batches
from tuili.data.pipeline.recipe import BuildSettings
from tuili.data.pipeline.report import write_report
from tuili.data.pipeline.state import State, read_state, write_state
from tuili.data.pipeline.writers.manifest import read_manifest, write_manifest
from tuili.data.pipeline.writers.shards import Shards
from tuili.errors import InputError
from tuili.files import check_folder_place, flush_all

STEP_ITEMS, STEP_BYTES = 4096, 2**24
"""A step ends with the batch that reaches so many items or bytes, ..."""
STEP_WRITTEN = 2**26
"""... or so many bytes to be written."""
DROPPED_FOLDER = "dropped"
PRIVATE = ".build"
"""The folder in it that holds state, journals and, for Parquet, shards to be converted; it is removed at the end."""
_DROPPED_DOCUMENTS, _DROPPED_BYTES, _DROPPED_LEVEL = 1_000_000, 2**28, 3


class Progress(NamedTuple):
    """How far a build has come."""

    bytes_read: int
    bytes_total: int
    kept: int
    dropped: int
    refused: int


Tell = Callable[[Progress], None]


@dataclass(frozen=True)
class Built:
    """A finished build."""

    folder: Path
    manifest: dict[str, Any]


def build(settings: BuildSettings, folder: Path, *, workers: int = 0, tell: Tell = lambda progress: None) -> Built:
    """Build a corpus, or go on with one that was left.

    workers: processes that read and filter; 0 for this one, but one where foreign code reads, which a hostile file may
    crash. The result is the same. tell: called after every batch.

    Raises `InputError` for inputs that are not there, for a folder that exists already, and where another build was
    left in its place.
    """
    if not settings.inputs:
        raise InputError("build.inputs is empty: name what is to be read")
    files = find_files(settings.inputs)
    if folder.exists():
        if not (folder / PRIVATE).exists():
            raise InputError(f"{folder} exists already: choose another place, or remove it")
        shutil.rmtree(folder / PRIVATE)  # it was killed before its last act
        return Built(folder, read_manifest(folder))
    check_folder_place(folder)
    corpus = Corpus(settings.inputs, files)
    pipeline = settings.pipeline()
    work = folder.with_name(f"{folder.name}.building")
    run = _Build(settings, files, pipeline, work)
    with closing(run):
        with open_pool(settings, corpus, pipeline, workers) as pool:
            run.read(pool, corpus, tell)
        manifest = run.finish()
    work.rename(folder)
    shutil.rmtree(folder / PRIVATE)
    return Built(folder, manifest)


def survey(settings: BuildSettings, *, workers: int = 0, tell: Tell = lambda progress: None) -> Iterator[Settled]:
    """What becomes of each document, without anything being written. Raises `InputError` as `build` does."""
    files = find_files(settings.inputs)
    corpus, pipeline = Corpus(settings.inputs, files), settings.pipeline()
    before = [0, *accumulate(file.size for file in files)]
    with open_pool(settings, corpus, pipeline, workers) as pool:
        for batch, outcomes in pool.read(batches(corpus.items(pool.outline))):
            for outcome in chain.from_iterable(outcomes):
                yield from pipeline.settle(outcome)
            tell(Progress(before[batch[-1].file] + batch[-1].offset, before[-1], 0, 0, 0))


class _Build:
    """The files of a build and its state."""

    def __init__(self, settings: BuildSettings, files: list[SourceFile], pipeline: Pipeline, work: Path) -> None:
        recipe = settings.model_dump_json(exclude={"inputs": {"__all__": {"path"}}})
        of_recipe = hashlib.sha256(f"{__version__}\n{recipe}".encode()).hexdigest()
        of_corpus = fingerprint(files)
        self._settings, self._files, self._pipeline, self._work = settings, files, pipeline, work
        self._private = work / PRIVATE
        self._private.mkdir(parents=True, exist_ok=True)
        self._state = read_state(self._private, of_recipe, of_corpus) or State(of_recipe, of_corpus)
        output = settings.output
        self._kept = Shards(
            self._private / "staged" if output.format == "parquet" else work,
            self._state.kept,
            documents=output.shard_documents,
            size=output.shard_bytes,
            level=output.level,
            suffix=".jsonl" if output.format == "jsonl" else ".jsonl.zst",
        )
        self._dropped = Shards(
            work / DROPPED_FOLDER,
            self._state.dropped,
            documents=_DROPPED_DOCUMENTS,
            size=_DROPPED_BYTES,
            level=_DROPPED_LEVEL,
        )
        self._journals = {
            place: self._private / "journals" / f"{place}-{block.name}" for place, block in pipeline.ordered
        }
        self._restore()

    def _restore(self) -> None:
        for place, block in self._pipeline.ordered:
            path = self._journals[place]
            path.parent.mkdir(exist_ok=True)
            path.touch()
            with path.open("r+b") as journal:
                journal.truncate(self._state.journals.get(str(place), 0))
                block.restore(journal)

    def read(self, pool: Pool, corpus: Corpus, tell: Tell) -> None:
        """Read what has not been read, step by step."""
        state = self._state
        if state.complete:
            return
        before = [0, *accumulate(file.size for file in self._files)]
        encode = msgspec.json.Encoder().encode
        kept, dropped = list[bytes](), list[bytes]()
        items = weight = written = 0
        for batch, outcomes in pool.read(batches(corpus.items(pool.outline, state.file, state.item))):
            for settled in (one for outcome in chain.from_iterable(outcomes) for one in self._pipeline.settle(outcome)):
                state.tally.add(settled, self._settings.examples)
                if isinstance(settled, Kept):
                    kept.append(settled.line)
                else:
                    dropped.append(encode(_listed(settled)) + b"\n")
                written += len(kept[-1] if isinstance(settled, Kept) else dropped[-1])
            last: Item = batch[-1]
            state.file, state.item = last.file, last.number + 1
            items += len(batch)
            weight += sum(item.weight for item in batch)
            if items >= STEP_ITEMS or weight >= STEP_BYTES or written >= STEP_WRITTEN:
                self._commit(kept, dropped)
                kept, dropped = [], []
                items = weight = written = 0
            tally = state.tally
            counts = (tally.documents_kept, tally.documents_dropped, tally.parts_refused)
            tell(Progress(before[last.file] + last.offset, before[-1], *counts))
        state.complete = True
        self._commit(kept, dropped)

    def _commit(self, kept: list[bytes], dropped: list[bytes]) -> None:
        for shards, lines in ((self._kept, kept), (self._dropped, dropped)):
            shards.append(lines)
            shards.flush()
        for place, block in self._pipeline.ordered:
            with self._journals[place].open("ab") as journal:
                journal.write(block.learnt())
                journal.flush()
                self._state.journals[str(place)] = journal.tell()
        self._state.kept, self._state.dropped = self._kept.position, self._dropped.position
        write_state(self._private, self._state)

    def close(self) -> None:
        """Let the files go."""
        self._kept.close()
        self._dropped.close()

    def finish(self) -> dict[str, Any]:
        """Write what speaks of the whole. May be done again."""
        self.close()
        if self._settings.output.format == "parquet":
            from tuili.data.pipeline.writers.parquet import to_parquet

            for path in self._kept.paths():
                to_parquet(path, self._work)
        manifest = write_manifest(self._work, self._settings, self._files, self._state.tally)
        write_report(self._work, manifest, self._state.tally)
        flush_all(self._work)
        return manifest


def _listed(settled: Dropped | Refused) -> dict[str, Any]:
    """What the list of drops says of one."""
    if isinstance(settled, Refused):
        refusal = settled.refusal
        return {
            "place": refusal.place,
            "block": settled.reader,
            "reason": refusal.fault,
            "message": refusal.message,
        }
    trace, drop = settled.trace, settled.drop
    return {
        "id": trace.id,
        "place": trace.place,
        "kind": trace.kind,
        "block": settled.block,
        "reason": drop.reason,
        "measured": drop.measured,
        "characters": trace.characters,
    }
