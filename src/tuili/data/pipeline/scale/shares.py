"""A build in shares: tasks on any machines that see the same folders each read some files of a corpus and send their
documents through the blocks. Then one task writes, byte for byte, what `build` would have written.

Until then, the outcome of each item is kept in one file per share, within the folder of the build. `steps` runs the
tasks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, nullcontext
from itertools import accumulate
from pathlib import Path
from typing import Any

import msgspec
import zstandard

from tuili.data.pipeline.building import Built, Reads, Tell, build_from
from tuili.data.pipeline.folder import build_hashes
from tuili.data.pipeline.pipeline import Asked, Dropped, Kept, Outcome, Pipeline, Refused
from tuili.data.pipeline.pool import Read, Workers
from tuili.data.pipeline.readers.files import find_files
from tuili.data.pipeline.readers.inputs import Item, SourceFile
from tuili.data.pipeline.reading import Corpus, batches
from tuili.data.pipeline.recipe import BuildSettings
from tuili.data.pipeline.state import PRIVATE, work_folder
from tuili.data.pipeline.worker import framed, receive
from tuili.errors import InputError, TuiliError, one_line
from tuili.files import flush, making_room, whole_file

_LEVEL = 1
_NAMES: dict[type[Any], str] = {Kept: "kept", Dropped: "dropped", Asked: "to_be_decided", Refused: "refused"}


class Header(msgspec.Struct, frozen=True, tag=True):
    """The first message of a share, which identifies its build."""

    recipe: str
    corpus: str


class Part(msgspec.Struct, frozen=True, tag=True):
    """Items without their lines, and the outcomes of each."""

    items: list[Item]
    outcomes: list[list[Outcome]]


class End(msgspec.Struct, frozen=True, tag=True):
    """The last message: the number of documents for each outcome."""

    counts: dict[str, int]


def files_of(files: Sequence[SourceFile], rank: int, world: int) -> range:
    """The numbers of the files that a task reads: adjacent files, with about as many bytes as another task has."""
    before = [0, *accumulate(file.size + 1 for file in files)]  # an empty file takes work, too
    of_task = [before[number] * world // before[-1] for number in range(len(files))]
    mine = [number for number, task in enumerate(of_task) if task == rank]
    return range(mine[0], mine[-1] + 1) if mine else range(0)


def read_share(settings: BuildSettings, folder: Path, rank: int, world: int, *, workers: int = 1) -> dict[str, int]:
    """Read share `rank` of `world` of a build that will write `folder`. Returns the numbers of documents that were
    kept, dropped or refused, or that await the decision of a block that must know the order.

    A share that was already read is not read again. workers: processes that read. Raises `InputError` as `build` does.
    """
    work = work_folder(folder)
    files = find_files(settings.inputs, (folder, work))
    corpus, header = Corpus(settings.inputs, files), Header(*build_hashes(settings, files))
    path, counts = _path(work, rank, world), Counter[str]()
    if (folder / PRIVATE).exists():  # everything is written, and only the private files remain to be removed
        return counts
    if folder.exists():
        raise InputError(f"{folder} exists already: choose another place, or remove it")
    if path.exists():
        return _counts_of(path, header)
    mine = files_of(files, rank, world)
    with making_room(work), whole_file(path) as part, part.open("wb") as raw:
        with zstandard.ZstdCompressor(_LEVEL, write_checksum=True).stream_writer(raw, closefd=False) as stream:
            stream.write(framed(header))
            with closing(Workers(settings, corpus, max(workers, 1))) as pool:
                for batch, outcomes in pool.read(batches(corpus.items(pool.outline, mine.start, end=mine.stop))):
                    counts.update(_NAMES[type(outcome)] for found in outcomes for outcome in found)
                    bare = [msgspec.structs.replace(item, data=b"") for item in batch]
                    stream.write(framed(Part(bare, outcomes)))
            stream.write(framed(End(counts)))
        flush(part)
    return counts


def join_shares(settings: BuildSettings, folder: Path, *, tell: Tell = lambda progress: None) -> Built:
    """Write the corpus after all shares have been read. May be killed and called again, as `build` may.

    Raises `InputError` as `build` does, and if a share is missing or belongs to other documents or another recipe.
    """
    work = work_folder(folder)

    def open_reads(corpus: Corpus, pipeline: Pipeline) -> nullcontext[Reads]:
        paths = _all_paths(work)
        header = Header(*build_hashes(settings, corpus.files))

        def reads(file: int, item: int) -> Iterator[Read]:
            for rank, path in enumerate(paths):
                mine = files_of(corpus.files, rank, len(paths))
                if mine and mine.stop > file:
                    yield from _read_from(path, header, (file, item))

        return nullcontext(reads)

    return build_from(open_reads, settings, folder, tell)


def _path(work: Path, rank: int, world: int) -> Path:
    return work / PRIVATE / "shares" / f"{rank:05}-of-{world:05}.zst"


def _all_paths(work: Path) -> list[Path]:
    """The files of all shares, in order. Raises `InputError` if one is missing."""
    found = {path.name for path in _path(work, 0, 0).parent.glob("*-of-*.zst")}
    worlds = {int(name[9:14]) for name in found}
    if len(worlds) != 1:
        what = f"cut into {' and into '.join(map(str, sorted(worlds)))} shares" if worlds else "not read yet"
        raise InputError(f"{work}: the documents are {what}: read all shares of one number, in an empty place")
    (world,) = worlds
    paths = [_path(work, rank, world) for rank in range(world)]
    missing = [rank for rank, path in enumerate(paths) if path.name not in found]
    if missing:
        raise InputError(f"{work}: share {missing[0]} of {world} is missing, {len(missing)} in all: run its task first")
    return paths


def _messages(path: Path, header: Header) -> Iterator[Part | End]:
    """The messages of a share. Raises `InputError` if it is of another build, and `TuiliError` if it is damaged."""
    decode = msgspec.msgpack.Decoder(Header | Part | End).decode
    try:
        with path.open("rb") as raw, zstandard.ZstdDecompressor().stream_reader(raw) as stream:
            while data := receive(stream):
                message = decode(data)
                if not isinstance(message, Header):
                    yield message
                elif message != header:
                    raise InputError(f"{path} was read with another recipe, or from other documents: remove it")
                if isinstance(message, End):
                    return
    except (
        zstandard.ZstdError,
        msgspec.DecodeError,
        MemoryError,
        OverflowError,
    ) as error:  # a length may be any number
        raise TuiliError(f"{path} is damaged ({one_line(error)}): remove it, and run its task again") from error
    raise TuiliError(f"{path} is cut short: remove it, and run its task again")


def _counts_of(path: Path, header: Header) -> dict[str, int]:
    """The counts at the end of a share."""
    return next(message.counts for message in _messages(path, header) if isinstance(message, End))


def _read_from(path: Path, header: Header, start: tuple[int, int]) -> Iterator[Read]:
    """The items of a share, starting with the given one, and their outcomes."""
    for message in _messages(path, header):
        if isinstance(message, Part):
            skipped = sum((item.file, item.number) < start for item in message.items)
            if skipped < len(message.items):
                yield message.items[skipped:], message.outcomes[skipped:]
