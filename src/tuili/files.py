"""Output files: a place is refused before the work that would fill it, and a file appears whole or not at all.

What is written is left to the callers. What must survive a power cut is also flushed to the disk itself. Whether a file
is still what it was, its hash tells.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tuili.errors import InputError, NotWritten, TuiliError

SCRATCH_PREFIX = ".tuili-"
"""The names of scratch folders begin with it."""
CHUNK = 1 << 26
"""So many bytes of a large file, or up to twice as many, are flushed to the disk together."""


def check_file_place(path: Path) -> None:
    """Raise `InputError` where no file can be written. This is tried in a scratch folder; nothing is left behind."""
    with refusing_faults(path):
        if path.is_dir():
            raise InputError(f"{path} cannot be written: Is a directory; give the name of a file")
        if is_special(path):  # to open a pipe would wait for its reader
            return
        place = Path(os.path.realpath(path))
        check_folder_place(place.parent, path)
        nearest = next(folder for folder in place.parents if folder.exists())
        with tempfile.TemporaryDirectory(dir=nearest, prefix=SCRATCH_PREFIX) as scratch:
            trial = Path(scratch, place.relative_to(nearest))
            trial.parent.mkdir(parents=True, exist_ok=True)
            trial.touch()


def check_folder_place(folder: Path, wanted: Path | None = None) -> None:
    """Raise `InputError` where no folder can be made or written to; its message names `wanted`. Creates nothing."""
    nearest = next(parent for parent in (folder, *folder.absolute().parents) if os.path.lexists(parent))
    if not nearest.is_dir():
        raise InputError(f"{wanted or folder} cannot be written: {nearest} is a file; choose another place")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise InputError(f"{wanted or folder} cannot be written: no permission in {nearest}; choose another place")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A scratch file that replaces `path` when the block ends without an error. The folder of `path` is made.

    A link stays, and the file that it names is replaced. A device or a pipe stays, and is written to. Raises
    `InputError` where `path` cannot be written.
    """
    check_file_place(path)
    special, place = is_special(path), Path(os.path.realpath(path))
    with refusing_faults(path):
        if not special:
            place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=None if special else place.parent, prefix=SCRATCH_PREFIX) as scratch:
            part = Path(scratch, path.name)
            yield part
            if special:
                with part.open("rb") as written, path.open("wb") as target:
                    shutil.copyfileobj(written, target)
            else:
                part.replace(place)


@contextmanager
def restored_on_failure(path: Path) -> Iterator[None]:
    """Put a file back as it was, or away where there was none, if the block fails."""
    before = path.read_bytes() if path.is_file() else None
    try:
        yield
    except BaseException:
        if before is None:
            path.unlink(missing_ok=True)
        else:
            with whole_file(path) as part:
                part.write_bytes(before)
        raise


def is_special(path: Path) -> bool:
    """Whether `path` is there and is no regular file, but a device or a pipe, for example."""
    return path.exists() and not path.is_file()


class _UnwritableError(InputError):
    """What the system lets nobody write, in one line with what to do."""

    def __init__(self, path: Path, reason: str, remedy: str) -> None:
        super().__init__(f"{path} cannot be written: {reason.splitlines()[0]}; {remedy}")
        self.path, self.reason = path, reason


@contextmanager
def refusing_faults(path: Path) -> Iterator[None]:
    """Turn what keeps the system from writing `path` in the block into an `InputError`."""
    try:
        yield
    except Exception as error:
        if not isinstance(error, OSError) and type(error).__name__ != "SafetensorError":  # safetensors has its own
            raise
        raise _UnwritableError(path, getattr(error, "strerror", None) or str(error), "choose another place") from error


def write_durably(
    path: Path, data: bytes | Iterable[bytes | memoryview], written: Callable[[], object] = lambda: None
) -> None:
    """Write a file so that after a crash or an error it is there whole, or as it was before.

    data: bytes, or runs of them one after the other. `written` is called whenever more is on the disk. What it raises
    leaves the file as it was.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:

            def synchronise() -> None:
                file.flush()
                os.fsync(file.fileno())
                written()

            waiting = 0
            for run in [data] if isinstance(data, bytes) else data:
                view = memoryview(run)
                for begin in range(0, len(view), CHUNK):
                    waiting += file.write(view[begin : begin + CHUNK])
                    if waiting >= CHUNK:
                        synchronise()
                        waiting = 0
            synchronise()
        part.replace(path)
    except BaseException:
        with suppress(OSError):  # a full disk has room again
            part.unlink()
        raise


@contextmanager
def writing(path: Path, remedy: str) -> Iterator[None]:
    """Turn what stops a library from writing `path` in the block, such as a full disk, into a one-line `NotWritten`.

    What `refusing_faults` has refused in the block is told with this remedy.
    """
    try:
        yield
    except _UnwritableError as error:
        raise _UnwritableError(error.path, error.reason, remedy) from error
    except TuiliError:
        raise
    except Exception as error:  # safetensors has an error of its own, tokenizers raises a plain Exception
        reason = (isinstance(error, OSError) and error.strerror) or str(error).strip() or type(error).__name__
        if isinstance(error, shutil.Error) and isinstance(error.args[0], list):  # of all files that were not copied
            reason = str(error.args[0][0][-1])
        raise NotWritten(f"{path} cannot be written: {reason.splitlines()[0]}; {remedy}") from error


@contextmanager
def making_room(folder: Path) -> Iterator[None]:
    """Turn an error of the system in the block, such as a full disk, into a `TuiliError` that says how to go on."""
    try:
        yield
    except OSError as error:
        why = error.strerror or str(error)
        raise TuiliError(f"{folder} cannot be written: {why}; make room, and start the same command again") from error


def flush(path: Path) -> None:
    """Wait until the contents of a file, or the entries of a folder, are on the disk itself."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def flush_all(folder: Path) -> None:
    """Wait until a folder with everything in it is on the disk itself."""
    for path in (folder, *folder.rglob("*")):
        flush(path)


def file_hash(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
