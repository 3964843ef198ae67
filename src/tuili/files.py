"""Output files: a place is refused before the work that would fill it, and a file appears whole or not at all.

What is written is left to the callers; `train.checkpoint` writes its own files, which must survive a power cut.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tuili.errors import InputError, TuiliError


def check_file_place(path: Path) -> None:
    """Raise `InputError` where no file can be written. Creates nothing."""
    if path.is_dir():
        raise InputError(f"{path} cannot be written: Is a directory; give the name of a file")
    check_folder_place(path.parent, path)


def check_folder_place(folder: Path, wanted: Path | None = None) -> None:
    """Raise `InputError` where no folder can be made or written to; it speaks of `wanted`. Creates nothing."""
    nearest = next(parent for parent in (folder, *folder.absolute().parents) if os.path.lexists(parent))
    if not nearest.is_dir():
        raise InputError(f"{wanted or folder} cannot be written: {nearest} is a file; choose another place")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise InputError(f"{wanted or folder} cannot be written: no permission in {nearest}; choose another place")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A scratch file that takes the place of `path` when the block ends without an error; its folder is made.

    Raises `InputError` where it cannot be written.
    """
    check_file_place(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as scratch:
            part = Path(scratch, path.name)
            yield part
            part.replace(path)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}; choose another place") from error


@contextmanager
def writing(path: Path, remedy: str) -> Iterator[None]:
    """Inside, whatever stops libraries from writing `path`, such as a full disk, becomes a `TuiliError` of one line."""
    try:
        yield
    except TuiliError:
        raise
    except Exception as error:  # safetensors has an error of its own, tokenizers raises a plain Exception
        reason = (isinstance(error, OSError) and error.strerror) or str(error).strip() or type(error).__name__
        raise TuiliError(f"{path} cannot be written: {reason.splitlines()[0]}; {remedy}") from error


def flush(path: Path) -> None:
    """Wait until a file, or the entries of a folder, are on the disk itself."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def flush_all(folder: Path) -> None:
    """Wait until a folder with everything in it is on the disk itself."""
    for path in (folder, *folder.rglob("*")):
        flush(path)
