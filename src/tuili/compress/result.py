"""The folder of a compressed model: whole with its lineage, or not there at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tuili.compress.parent import Parent
from tuili.errors import CheckpointError, InputError, NotWritten, TuiliError
from tuili.files import writing
from tuili.store import LineageEntry, model_hash, open_model, replaced_folder, write_lineage

REMEDY = "make room there, or choose another --out"


@dataclass(frozen=True)
class CompressionResult:
    """How far a compression came. model: None where it was interrupted. figures: those of its lineage, or the last line
    of its log."""

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
    measure: Callable[[Path], Mapping[str, float]] | None = None,
) -> LineageEntry:
    """Write a model by `write`, with the entry behind the lineage of the model that it begins as. Returns the entry
    with its hashes.

    What comes out is opened as any other model before it is in its place. measure: gives more figures of it, once it
    can be opened.
    """
    ancestors, before = ((), None) if begun_as is None else (begun_as.lineage, begun_as.hash)
    with replaced_folder(folder) as fresh:
        with writing(folder, REMEDY):
            write(fresh)
            whole = replace(entry, parent=before, hash=model_hash(fresh))
            write_lineage(fresh, (*ancestors, whole))
        open_model(fresh)
        if measure is not None:
            whole = replace(whole, figures={**whole.figures, **measure(fresh)})
            write_lineage(fresh, (*ancestors, whole))
    return whole


def damaged(file: Path) -> InputError:
    """The error of a file of a run that cannot be read as it was written."""
    return InputError(f"{file} is damaged: choose another --out")


@contextmanager
def refusing_full_disks() -> Iterator[None]:
    """Turn what keeps a run from being written, such as a full disk, into an `InputError`: another place would do.

    So is what is damaged in its folder, which says itself what is to be done."""
    try:
        yield
    except InputError:
        raise
    except CheckpointError as error:
        if isinstance(error.__cause__, OSError):
            raise InputError(f"{error}; {REMEDY}") from error
        raise InputError(str(error)) from error
    except NotWritten as error:
        raise InputError(str(error)) from error
    except TuiliError as error:
        if isinstance(error.__cause__, OSError):
            raise InputError(f"{error}; {REMEDY}") from error
        raise
