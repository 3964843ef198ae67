"""Finds the files of a corpus that the inputs name, in an order that does not depend on the file system."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from tuili.data.pipeline.readers.hub import version_of
from tuili.data.pipeline.readers.inputs import Format, Input, SourceFile
from tuili.data.pipeline.state import is_unfinished
from tuili.data.pipeline.writers.manifest import is_corpus
from tuili.errors import InputError

SUFFIXES: dict[Format, tuple[str, ...]] = {
    "jsonl": tuple(f"{name}{packed}" for name in (".jsonl", ".ndjson") for packed in ("", ".gz", ".zst")),
    "parquet": (".parquet",),
    "text": (".txt", ".text", ".md", ".rst"),
    "html": (".html", ".htm", ".xhtml"),
    "pdf": (".pdf",),
}
_ROWS = frozenset({"jsonl", "parquet", "dataset"})
USED_BY: dict[str, frozenset[str]] = {
    **dict.fromkeys(("text", "id", "kind_field"), _ROWS),
    **dict.fromkeys(("split", "configuration", "revision"), frozenset({"dataset"})),
    "encoding": frozenset({"text"}),
    "extractor": frozenset({"html"}),
}
"""The formats that use an option of an input."""


def find_files(inputs: Sequence[Input], without: Collection[Path] = ()) -> list[SourceFile]:
    """Every file of every input, sorted by name within an input. A dataset counts as one file; of a built corpus, only
    the kept documents are read.

    without: folders that are not inputs, such as the output folder. Raises `InputError` if an input is missing, empty
    or an unfinished build, if two inputs have the same name or the same files, and for an option that no file uses.
    """
    found = list[SourceFile]()
    names, places = set[str](), dict[Path, Path]()
    left_out = {_identity(folder) for folder in without if folder.exists()}
    for number, given in enumerate(inputs):
        path = given.path
        name = given.name or (path.name if given.format != "dataset" or path.is_dir() else str(path))
        if name in ("", ".."):
            name = path.resolve().name
        if name in names:
            raise InputError(
                f"two inputs are called {name}: give one a name of its own in the recipe, {{path: ..., name: ...}}"
            )
        names.add(name)
        if given.format == "dataset":
            own = [SourceFile(path, name, "dataset", number, 0, 0, version_of(given))]
        elif not os.path.lexists(path):
            raise InputError(f"{path}: no such file or folder; name what holds the documents")
        else:
            _check_once(path, places)
            if is_unfinished(path):
                raise InputError(
                    f"{path} is an unfinished build: finish it by its own command, and name the folder that it writes"
                )
            own = [
                _file(inside, str(Path(name, inside.relative_to(path))), number, given)
                for inside in _walk(path, left_out)
            ]
            if not own and not is_corpus(path):  # a corpus may have kept no document
                raise InputError(f"{path} holds no file: name a folder with documents in it")
        _check_options(given, {file.format for file in own})
        found += own
    return found


def _check_once(path: Path, before: dict[Path, Path]) -> None:
    """Raise `InputError` if an input equals, contains, or is within an earlier one."""
    place = path.resolve()
    for other, given in before.items():
        if place == other or place in other.parents or other in place.parents:
            raise InputError(f"{path} and {given} have the same files: name only one of them")
    before[place] = path


def _check_options(given: Input, formats: set[Format | None]) -> None:
    for option, users in USED_BY.items():
        if getattr(given, option) != Input.model_fields[option].default and not formats & users:
            raise InputError(
                f"{given.path}: {option} has no effect, there is no file of the format {' or '.join(sorted(users))}"
            )


def _identity(folder: Path) -> tuple[int, int]:
    """Identifies a folder, whatever links lead to it."""
    found = folder.stat()
    return found.st_dev, found.st_ino


def _walk(top: Path, left_out: set[tuple[int, int]]) -> Iterator[Path]:
    """Yield the file itself, or every file below a folder. Hidden files and unfinished builds are left out; links to
    folders are not followed.

    A folder that cannot be read is yielded as if it were a file, so that it is refused in its place.
    """
    waiting = [top]
    while waiting:
        path = waiting.pop()
        try:
            if (path.is_symlink() and path != top) or not path.is_dir():
                yield path
            elif _identity(path) not in left_out and not is_unfinished(path):
                inside = path.glob("part-*") if is_corpus(path) else path.iterdir()
                waiting += sorted((entry for entry in inside if not entry.name.startswith(".")), reverse=True)
        except OSError:
            yield path


def _file(path: Path, name: str, number: int, given: Input) -> SourceFile:
    form: Format | None
    name = os.fsencode(name).decode("utf-8", "backslashreplace")  # file names need not be UTF-8
    if given.format == "auto":
        form = next((form for form, ends in SUFFIXES.items() if path.name.lower().endswith(ends)), None)
    else:
        form = given.format
    try:
        found = path.stat()
    except OSError:  # a broken link: the refusal will say so
        return SourceFile(path, name, None, number, 0, 0)
    # opening a pipe would block until it has a writer; a folder here is one that cannot be read
    regular = stat.S_ISREG(found.st_mode)
    return SourceFile(path, name, form if regular else None, number, found.st_size, found.st_mtime_ns)


def fingerprint(files: Sequence[SourceFile]) -> str:
    """A hash of the names, sizes and times of files, which changes if any of them does."""
    digest = hashlib.sha256()
    for file in files:
        told = f"{file.name}\0{file.format}\0{file.size}\0{file.changed}\0{file.version}\n"
        digest.update(told.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()
