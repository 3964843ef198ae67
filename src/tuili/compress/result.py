"""The folder of a compressed model: either complete with its lineage, or absent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tuili.compress.parent import Parent
from tuili.errors import CheckpointError, InputError, NotWritten, TuiliError
from tuili.files import writing
from tuili.store import (
    LineageEntry,
    check_recorded,
    model_hash,
    open_model,
    read_lineage,
    replaced_folder,
    write_lineage,
)

MEASURED = ("problems", "right", "gain")
"""Prefixes of the names of figures about right answers."""
REMEDY = "make room there, or choose another --out"


@dataclass(frozen=True)
class CompressionResult:
    """How far a compression came. model: None if it was interrupted. figures: those of its lineage, or the last line of
    its log."""

    step: int
    tokens: int
    seconds: float
    figures: Mapping[str, Any]
    model: Path | None = None


def write_result(
    begun_as: Parent | None,
    folder: Path,
    write: Callable[[Path], None],
    entry: LineageEntry,
    measure: Callable[[Path], Mapping[str, float]],
) -> LineageEntry:
    """Write a model by `write`, and append the entry to the lineage of the model that it starts from. Returns the entry
    with its hashes.

    The result is opened like any other model before it is moved into place. measure: returns more figures for the model
    once it can be opened.
    """
    ancestors, before = ((), None) if begun_as is None else (begun_as.lineage, begun_as.hash)
    with replaced_folder(folder) as fresh:
        with writing(folder, REMEDY):
            write(fresh)
            whole = replace(entry, parent=before, hash=model_hash(fresh))
            write_lineage(fresh, (*ancestors, whole))
        open_model(fresh)
        if figures := measure(fresh):
            whole = replace(whole, figures={**whole.figures, **figures})
            write_lineage(fresh, (*ancestors, whole))
    return whole


def made_before(begun_as: Parent | None, folder: Path, step: str) -> LineageEntry | None:
    """The entry that `write_result` wrote for a step of a run; None if the run has not come so far.

    Raises `InputError` if something else is in this place, which must not be overwritten.
    """
    if not folder.exists():
        return None
    before = None if begun_as is None else begun_as.hash
    check_recorded(folder)
    for entry in reversed(read_lineage(folder)):
        if entry.step == step and entry.parent == before:
            return entry
    raise InputError(f"{folder} is not what this run has made: move it to another place")


def measured_again(folder: Path, entry: LineageEntry, figures: Mapping[str, float]) -> LineageEntry:
    """An entry of a model's lineage with its figures of right answers replaced by these, if there are any; nothing else
    in the folder changes."""
    if not figures:
        return entry
    others = {name: value for name, value in entry.figures.items() if not name.startswith(MEASURED)}
    whole = replace(entry, figures={**others, **figures})
    if whole != entry:
        with writing(folder, REMEDY):
            write_lineage(folder, tuple(whole if one == entry else one for one in read_lineage(folder)))
    return whole


def damaged(file: Path) -> InputError:
    """The error for a run file that cannot be read as it was written."""
    return InputError(f"{file} is damaged: choose another --out")


@contextmanager
def refusing_full_disks() -> Iterator[None]:
    """Turn errors that prevent a run from being written, such as a full disk, into `InputError`: another place may do.

    Damage in the run folder is converted too; its message says what to do."""
    try:
        yield
    except InputError:
        raise
    except TuiliError as error:  # the message of `NotWritten` says what to do
        if isinstance(error.__cause__, OSError) and not isinstance(error, NotWritten):
            raise InputError(f"{error}; {REMEDY}") from error
        if isinstance(error, CheckpointError | NotWritten):
            raise InputError(str(error)) from error
        raise
