"""The folder of a build: it writes shards, the list of drops, journals and state, in steps.

A step first flushes all files to disk, and then the state that records their lengths. A resumed build truncates the
files to these lengths, so that its output is byte for byte that of an uninterrupted build.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from tuili import __version__
from tuili.data.pipeline.block import PORTABLE
from tuili.data.pipeline.filters.masking import MaskingBlock
from tuili.data.pipeline.listing import entry
from tuili.data.pipeline.pipeline import Kept, Pipeline, Refused, Settled
from tuili.data.pipeline.readers.files import fingerprint
from tuili.data.pipeline.readers.inputs import SourceFile
from tuili.data.pipeline.recipe import BuildSettings
from tuili.data.pipeline.report import write_report
from tuili.data.pipeline.state import PRIVATE, STATE_FILE, State, read_state, write_state
from tuili.data.pipeline.writers.manifest import read_manifest, write_manifest
from tuili.data.pipeline.writers.shards import Shards
from tuili.errors import InputError
from tuili.files import SCRATCH_PREFIX, flush_all

DROPPED_FOLDER = "dropped"
_DROPPED_DOCUMENTS, _DROPPED_BYTES, _DROPPED_LEVEL = 1_000_000, 2**28, 3


def finished_before(settings: BuildSettings, files: Sequence[SourceFile], folder: Path) -> dict[str, Any]:
    """The manifest of a folder whose build was killed after its last step, before `remove_private` had ended.

    Raises `InputError` if the folder is anything else, and leaves it unchanged.
    """
    if read_state(folder / PRIVATE, *build_hashes(settings, files)) is None:
        raise InputError(f"{folder} exists already: choose another place, or remove it")
    manifest = read_manifest(folder)
    remove_private(folder)
    return manifest


def remove_private(folder: Path) -> None:
    """Remove what only a build needs. The state goes last, because it identifies a removal that was killed."""
    private = folder / PRIVATE
    for path in private.iterdir():
        if path.name != STATE_FILE:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.rmtree(private)


def build_hashes(settings: BuildSettings, files: Sequence[SourceFile]) -> tuple[str, str]:
    """Hashes of the recipe and of the documents, both of which a resumed build must share with the interrupted one."""
    recipe = settings.model_dump_json(exclude={"inputs": {"__all__": {"path"}}}, context=PORTABLE)
    return hashlib.sha256(f"{__version__}\n{recipe}".encode()).hexdigest(), fingerprint(files)


class BuildFolder:
    """The files of a build and its state. `commit` writes what was added."""

    def __init__(self, settings: BuildSettings, files: Sequence[SourceFile], pipeline: Pipeline, folder: Path) -> None:
        """Resume the work left in the folder, or begin.

        Raises `InputError` if another build has left its work there, or is running.
        """
        of_recipe, of_corpus = build_hashes(settings, files)
        self._settings, self._files, self._pipeline, self.folder = settings, files, pipeline, folder
        self._shows_excerpts = not any(block.name == MaskingBlock.name for block in pipeline.blocks)
        self._private = folder / PRIVATE
        self._private.mkdir(parents=True, exist_ok=True)
        self._lock = self._locked()
        try:
            self.state = read_state(self._private, of_recipe, of_corpus) or State(of_recipe, of_corpus)
            self._open()
        except BaseException:
            self._lock.close()
            raise

    def _locked(self) -> Any:
        lock = (self._private / "lock").open("wb")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise InputError(f"{self.folder} is being written by another build: choose another place") from None
        return lock

    def _open(self) -> None:
        for scratch in self.folder.glob(f"{SCRATCH_PREFIX}*"):  # of a build killed while it wrote a whole file
            shutil.rmtree(scratch)
        output = self._settings.output
        self._kept = Shards(
            self._private / "staged" if output.format == "parquet" else self.folder,
            self.state.kept,
            documents=output.shard_documents,
            size=output.shard_bytes,
            level=output.level,
            suffix=".jsonl" if output.format == "jsonl" else ".jsonl.zst",
        )
        self._dropped = Shards(
            self.folder / DROPPED_FOLDER,
            self.state.dropped,
            documents=_DROPPED_DOCUMENTS,
            size=_DROPPED_BYTES,
            level=_DROPPED_LEVEL,
        )
        self._encode = msgspec.json.Encoder().encode
        self._kept_lines, self._dropped_lines = list[bytes](), list[bytes]()
        for place, block in self._pipeline.ordered:
            path = self._journal(place, block.name)
            path.parent.mkdir(exist_ok=True)
            path.touch()
            with path.open("r+b") as journal:
                journal.truncate(self.state.journals.get(str(place), 0))
                block.restore(journal)

    def _journal(self, place: int, name: str) -> Path:
        return self._private / "journals" / f"{place}-{name}"

    def add(self, settled: Settled, file: int) -> int:
        """Record the outcome of a document of a file. Returns the number of bytes that it adds to the output."""
        self._turn_to(file)
        self.state.tally.add(settled, self._settings.examples)
        if isinstance(settled, Kept):
            self._kept_lines.append(settled.line)
            return len(settled.line)
        if isinstance(settled, Refused) and not self.state.refusals.listed(settled):
            return 0
        return self._list(entry(settled, self._shows_excerpts))

    def _turn_to(self, file: int) -> None:
        for more in self.state.refusals.turn_to(file):
            self._list(more)

    def _list(self, told: dict[str, Any]) -> int:
        self._dropped_lines.append(self._encode(told) + b"\n")
        return len(self._dropped_lines[-1])

    def complete(self) -> None:
        """Record that everything was read, and write the rest."""
        self._turn_to(len(self._files))
        self.state.complete = True
        self.commit()

    def commit(self) -> None:
        """Write what was added, and then the state."""
        for shards, lines in ((self._kept, self._kept_lines), (self._dropped, self._dropped_lines)):
            shards.append(lines)
            shards.flush()
            lines.clear()
        for place, block in self._pipeline.ordered:
            with self._journal(place, block.name).open("ab") as journal:
                journal.write(block.learnt())
                journal.flush()
                os.fsync(journal.fileno())
                self.state.journals[str(place)] = journal.tell()
        self.state.kept, self.state.dropped = self._kept.position, self._dropped.position
        write_state(self._private, self.state)

    def close(self) -> None:
        """Close the files."""
        for shards in (self._kept, self._dropped):
            with suppress(OSError):  # anything uncommitted is written again
                shards.close()
        self._lock.close()

    def finish(self) -> dict[str, Any]:
        """Write the files that describe the whole build, and return the manifest. May be repeated."""
        self._kept.close()
        self._dropped.close()
        if self._settings.output.format == "parquet":
            from tuili.data.pipeline.writers.parquet import to_parquet

            for path in self._kept.paths():
                to_parquet(path, self.folder)
        notes = {block.name: told for block in self._pipeline.blocks if (told := block.notes())}
        manifest = write_manifest(self.folder, self._settings, self._files, self.state.tally, notes)
        write_report(self.folder, manifest, self.state.tally)
        flush_all(self.folder)
        return manifest
