"""Builds a corpus: a folder with shards, a manifest and a report, written in steps that survive `kill -9`.

The folder appears complete, at the end; until then the work is in the sibling folder `NAME.building`. `folder` writes a
step; `pool` decides which process reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from itertools import accumulate, chain
from pathlib import Path
from typing import Any, NamedTuple

from tuili.data.pipeline.folder import BuildFolder, finished_before, remove_private
from tuili.data.pipeline.pipeline import Dropped, Kept, Pipeline, Refused, Settled
from tuili.data.pipeline.pool import Read, open_pool
from tuili.data.pipeline.readers.files import find_files
from tuili.data.pipeline.reading import Corpus, batches
from tuili.data.pipeline.recipe import BuildSettings
from tuili.data.pipeline.state import work_folder
from tuili.errors import InputError
from tuili.files import check_folder_place, making_room

STEP_ITEMS, STEP_BYTES = 4096, 2**24
"""A step ends with the item that reaches this number of items or bytes, however they are read, ..."""
STEP_WRITTEN = 2**26
"""... or this number of bytes to be written."""


class Progress(NamedTuple):
    """The progress of a build."""

    bytes_read: int
    bytes_total: int
    kept: int
    dropped: int
    refused: int


Tell = Callable[[Progress], None]
Reads = Callable[[int, int], Iterator[Read]]
"""Reads all files in order, starting at a given item of a given file."""
OpenReads = Callable[[Corpus, Pipeline], AbstractContextManager[Reads]]


@dataclass(frozen=True)
class Built:
    """A finished build."""

    folder: Path
    manifest: dict[str, Any]


def build(settings: BuildSettings, folder: Path, *, workers: int = 0, tell: Tell = lambda progress: None) -> Built:
    """Build a corpus, or resume an interrupted build.

    workers: the number of processes that read and filter. With 0, this process does so, except that one worker reads
    when foreign code is involved, because a hostile file may crash it. The result is the same. tell: called after every
    batch.

    Raises `InputError` if inputs are missing, if the folder exists already, and if the work of another build was left
    in its place.
    """

    @contextmanager
    def read_here(corpus: Corpus, pipeline: Pipeline) -> Iterator[Reads]:
        with open_pool(settings, corpus, pipeline, workers) as pool:
            yield lambda file, item: pool.read(batches(corpus.items(pool.outline, file, item)))

    return build_from(read_here, settings, folder, tell)


def build_from(open_reads: OpenReads, settings: BuildSettings, folder: Path, tell: Tell) -> Built:
    """Like `build`, but with any way of reading. open_reads: called if something is left to be read."""
    if not settings.inputs:
        raise InputError("build.inputs is empty: name what is to be read")
    work = work_folder(folder)
    files = find_files(settings.inputs, (folder, work))
    if folder.exists():
        return Built(folder, finished_before(settings, files, folder))
    check_folder_place(folder)
    corpus = Corpus(settings.inputs, files)
    pipeline = settings.pipeline()
    with making_room(work):
        place = BuildFolder(settings, files, pipeline, work)
    with closing(place):
        if folder.exists():
            raise InputError(f"{folder} was written by another build meanwhile: choose another place, or remove it")
        if not place.state.complete:
            with open_reads(corpus, pipeline) as reads:
                _read(reads, corpus, pipeline, place, tell)
        with making_room(work):
            manifest = place.finish()
            work.rename(folder)  # before another build can resume from the work folder
    remove_private(folder)
    return Built(folder, manifest)


def survey(settings: BuildSettings, *, workers: int = 0, tell: Tell = lambda progress: None) -> Iterator[Settled]:
    """Yield the outcome of each document without writing anything. Raises `InputError` as `build` does."""
    files = find_files(settings.inputs)
    corpus, pipeline = Corpus(settings.inputs, files), settings.pipeline()
    before = [0, *accumulate(file.size for file in files)]
    counts = dict.fromkeys((Kept, Dropped, Refused), 0)
    with open_pool(settings, corpus, pipeline, workers) as pool:
        for batch, outcomes in pool.read(batches(corpus.items(pool.outline))):
            for settled in chain.from_iterable(map(pipeline.settle, chain.from_iterable(outcomes))):
                counts[type(settled)] += 1
                yield settled
            tell(Progress(before[batch[-1].file] + batch[-1].offset, before[-1], *counts.values()))


def _read(reads: Reads, corpus: Corpus, pipeline: Pipeline, place: BuildFolder, tell: Tell) -> None:
    """Read the remaining items, step by step. Where a step ends depends on the items alone."""
    state = place.state
    before = [0, *accumulate(file.size for file in corpus.files)]
    items = weight = written = 0
    for batch, outcomes in reads(state.file, state.item):
        for item, found in zip(batch, outcomes, strict=True):
            for outcome in found:
                for settled in pipeline.settle(outcome):
                    written += place.add(settled, item.file)
            state.file, state.item = item.file, item.number + 1
            items += 1
            weight += item.weight
            if items >= STEP_ITEMS or weight >= STEP_BYTES or written >= STEP_WRITTEN:
                with making_room(place.folder):
                    place.commit()
                items = weight = written = 0
        tally = state.tally
        counts = (tally.documents_kept, tally.documents_dropped, tally.parts_refused)
        tell(Progress(before[state.file] + batch[-1].offset, before[-1], *counts))
    with making_room(place.folder):
        place.complete()
