"""The files of a corpus: those that inputs name, in an order that does not depend on the file system."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from tuili.data.pipeline.readers.hub import version_of
from tuili.data.pipeline.readers.inputs import Format, Input, SourceFile
from tuili.errors import InputError

SUFFIXES: dict[Format, tuple[str, ...]] = {
    "jsonl": tuple(f"{name}{packed}" for name in (".jsonl", ".ndjson") for packed in ("", ".gz", ".zst")),
    "parquet": (".parquet",),
    "text": (".txt", ".text", ".md", ".rst"),
    "html": (".html", ".htm", ".xhtml"),
    "pdf": (".pdf",),
}


def find_files(inputs: Sequence[Input]) -> list[SourceFile]:
    """Every file of every input, sorted by name within an input. A dataset counts as one file.

    Raises `InputError` where an input is not there or holds no file, or where two have the same name.
    """
    found = list[SourceFile]()
    names = set[str]()
    for number, given in enumerate(inputs):
        name = str(given.path) if given.format == "dataset" else given.path.name
        if name in ("", ".."):
            name = given.path.resolve().name
        if name in names:
            raise InputError(f"two inputs are called {name}: the places of their documents would be mixed up")
        names.add(name)
        if given.format == "dataset":
            found.append(SourceFile(given.path, name, "dataset", number, 0, 0, version_of(given)))
        elif given.path.is_dir():
            inside = [
                _file(path, f"{name}/{path.relative_to(given.path)}", number, given) for path in _walk(given.path)
            ]
            if not inside:
                raise InputError(f"{given.path} holds no file: name a folder with documents in it")
            found += inside
        elif os.path.lexists(given.path):
            found.append(_file(given.path, name, number, given))
        else:
            raise InputError(f"{given.path}: no such file or folder; name what holds the documents")
    return found


def _walk(folder: Path) -> Iterator[Path]:
    """Every file below a folder, hidden ones left out, links to folders not followed."""
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith("."):
            continue
        if entry.is_dir() and not entry.is_symlink():
            yield from _walk(entry)
        else:
            yield entry


def _file(path: Path, name: str, number: int, given: Input) -> SourceFile:
    form: Format | None
    name = os.fsencode(name).decode("utf-8", "backslashreplace")  # names of files need not be UTF-8
    if given.format == "auto":
        form = next((form for form, ends in SUFFIXES.items() if path.name.lower().endswith(ends)), None)
    else:
        form = given.format
    try:
        found = path.stat()
    except OSError:  # a link to nowhere: reading it will say so
        return SourceFile(path, name, None, number, 0, 0)
    regular = stat.S_ISREG(found.st_mode)  # to open a pipe would wait for its writer
    return SourceFile(path, name, form if regular else None, number, found.st_size, found.st_mtime_ns)


def fingerprint(files: Sequence[SourceFile]) -> str:
    """A hash of the names, sizes and times of files: another one where any has changed."""
    digest = hashlib.sha256()
    for file in files:
        told = f"{file.name}\0{file.format}\0{file.size}\0{file.changed}\0{file.version}\n"
        digest.update(told.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()
