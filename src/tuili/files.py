"""Output files: a location is checked before the work that produces its content, and files are written atomically.

The callers provide the content. Anything that must survive a power cut is also flushed to the disk itself. The hash of
a file shows whether it has changed.
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
"""The prefix of the names of scratch folders."""
CHUNK = 1 << 26
"""A large file is flushed to the disk each time this many bytes, or up to twice as many, were written."""


def check_file_place(path: Path) -> None:
    """Raise `InputError` if no file can be written there. This is tried in a scratch folder; nothing is left behind."""
    with refusing_faults(path):
        if path.is_dir():
            raise InputError(f"{path} cannot be written: Is a directory; give the name of a file")
        if is_special(path):  # opening a pipe would wait for its reader
            return
        place = Path(os.path.realpath(path))
        check_folder_place(place.parent, path)
        nearest = next(folder for folder in place.parents if folder.exists())
        with tempfile.TemporaryDirectory(dir=nearest, prefix=SCRATCH_PREFIX) as scratch:
            trial = Path(scratch, place.relative_to(nearest))
            trial.parent.mkdir(parents=True, exist_ok=True)
            trial.touch()


def check_folder_place(folder: Path, wanted: Path | None = None) -> None:
    """Raise `InputError` if a folder cannot be made or written to; its message names `wanted`. Creates nothing."""
    nearest = next(parent for parent in (folder, *folder.absolute().parents) if os.path.lexists(parent))
    if not nearest.is_dir():
        raise InputError(f"{wanted or folder} cannot be written: {nearest} is a file; choose another place")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise InputError(f"{wanted or folder} cannot be written: no permission in {nearest}; choose another place")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a scratch file that replaces `path` if the block ends without an error. The folder of `path` is created.

    A link is kept, and the file that it points to is replaced. A device or a pipe is kept and written to. Raises
    `InputError` if `path` cannot be written.
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
    """If the block fails, restore a file to its earlier content, or remove it if it did not exist."""
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
    """Whether `path` exists and is not a regular file, but for example a device or a pipe."""
    return path.exists() and not path.is_file()


class _UnwritableError(InputError):
    """The system does not allow writing; the message is one line with a remedy."""

    def __init__(self, path: Path, reason: str, remedy: str) -> None:
        super().__init__(f"{path} cannot be written: {reason.splitlines()[0]}; {remedy}")
        self.path, self.reason = path, reason


@contextmanager
def refusing_faults(path: Path) -> Iterator[None]:
    """Turn system errors that prevent writing `path` in the block into an `InputError`."""
    try:
        yield
    except Exception as error:
        if not isinstance(error, OSError) and type(error).__name__ != "SafetensorError":  # safetensors raises its own
            raise
        raise _UnwritableError(path, getattr(error, "strerror", None) or str(error), "choose another place") from error


def write_durably(
    path: Path, data: bytes | Iterable[bytes | memoryview], written: Callable[[], object] = lambda: None
) -> None:
    """Write a file so that after a crash or an error it is either complete or unchanged.

    data: bytes, or consecutive runs of bytes. `written` is called whenever more data has reached the disk. If it
    raises, the file stays unchanged.
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
        with suppress(OSError):  # frees the space on a full disk
            part.unlink()
        raise


@contextmanager
def writing(path: Path, remedy: str) -> Iterator[None]:
    """Turn errors that stop a library from writing `path` in the block, such as a full disk, into a `NotWritten`.

    Its message is one line. An error that `refusing_faults` raised in the block is raised again with this remedy.
    """
    try:
        yield
    except _UnwritableError as error:
        raise _UnwritableError(error.path, error.reason, remedy) from error
    except TuiliError:
        raise
    except Exception as error:  # safetensors raises its own error, tokenizers a plain Exception
        reason = (isinstance(error, OSError) and error.strerror) or str(error).strip() or type(error).__name__
        if isinstance(error, shutil.Error) and isinstance(error.args[0], list):  # one for each file not copied
            reason = str(error.args[0][0][-1])
        raise NotWritten(f"{path} cannot be written: {reason.splitlines()[0]}; {remedy}") from error


@contextmanager
def making_room(folder: Path) -> Iterator[None]:
    """Turn a system error in the block, such as a full disk, into a `TuiliError` that says how to continue."""
    try:
        yield
    except OSError as error:
        why = error.strerror or str(error)
        raise TuiliError(f"{folder} cannot be written: {why}; make room, and start the same command again") from error


def flush(path: Path) -> None:
    """Wait until the content of a file, or the entries of a folder, are on the disk itself."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def flush_all(folder: Path) -> None:
    """Wait until a folder and everything in it are on the disk itself."""
    for path in (folder, *folder.rglob("*")):
        flush(path)


def file_hash(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
