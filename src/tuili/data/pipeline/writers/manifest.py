"""The manifest of a built corpus: what was read, kept, dropped and refused, and a hash of every file.

It contains no time and no path of a machine: the same documents and recipe give the same manifest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tuili import __version__
from tuili.data.pipeline.block import PORTABLE
from tuili.data.pipeline.readers.inputs import Input, SourceFile
from tuili.data.pipeline.recipe import BuildSettings
from tuili.data.pipeline.tally import Tally
from tuili.errors import InputError
from tuili.files import write_durably

MANIFEST_FILE = "manifest.json"
_MOST_BYTES = 2**26


class _Counts(msgspec.Struct):
    kept: int
    dropped: int
    refused: int


class _Shape(msgspec.Struct):
    """The fields by which a manifest is recognised."""

    tuili: str
    documents: _Counts
    dropped: dict[str, dict[str, int]]
    refused: dict[str, dict[str, int]]
    files: list[dict[str, Any]]


def write_manifest(
    folder: Path, settings: BuildSettings, files: Sequence[SourceFile], tally: Tally, notes: Mapping[str, list[str]]
) -> dict[str, Any]:
    """Write the manifest of a folder with complete shards, and return it. notes: for each block that has any."""
    of_input = [[file for file in files if file.input == number] for number in range(len(settings.inputs))]
    inputs = [
        {
            "name": given.name or _name(given, own),
            "files": len(own),
            "bytes": sum(file.size for file in own),
            **({"version": own[0].version} if own and own[0].version else {}),
        }
        for given, own in zip(settings.inputs, of_input, strict=True)
    ]
    manifest = {
        "tuili": __version__,
        "recipe": settings.model_dump(mode="json", exclude={"inputs", "limits"}, context=PORTABLE),
        "inputs": inputs,
        "documents": {
            "kept": tally.documents_kept,
            "dropped": tally.documents_dropped,
            "refused": tally.parts_refused,
            "kept_characters": tally.kept_characters,
            "dropped_characters": tally.dropped_characters,
        },
        "kept": dict(sorted(tally.kept.items())),
        **({"domains": dict(sorted(tally.domains.items()))} if tally.domains else {}),
        **({"records_without_steps": tally.records_without_steps, "checked": tally.checked} if tally.domains else {}),
        "dropped": _in_order(tally.dropped),
        "refused": _in_order(tally.refused),
        **({"notes": dict(notes)} if notes else {}),
        "files": [
            {"name": str(path.relative_to(folder)), "bytes": path.stat().st_size, "sha256": _hash(path)}
            for path in sorted([*folder.glob("part-*"), *folder.glob("dropped/part-*")])
        ],
    }
    write_durably(folder / MANIFEST_FILE, (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode())
    return manifest


def _name(given: Input, files: Sequence[SourceFile]) -> str:
    if not files:
        return given.path.name
    return files[0].name if files[0].format == "dataset" else files[0].name.partition("/")[0]


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of a built corpus. Raises `InputError` if it is missing or damaged."""
    path = folder / MANIFEST_FILE
    try:
        manifest: Any = json.loads(path.read_bytes())
    except OSError:
        raise InputError(f"{folder} holds no built corpus: build one by tuili data build") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not JSON ({error}): build the corpus anew") from error
    if not _is_manifest(manifest):
        raise InputError(f"{path} is not the manifest of a built corpus: build the corpus anew")
    return dict(manifest)


def is_corpus(folder: Path) -> bool:
    """Whether a folder holds a built corpus. Other folders may have a file named like the manifest, too."""
    path = folder / MANIFEST_FILE
    try:
        fits = path.is_file() and path.stat().st_size <= _MOST_BYTES
        return fits and _is_manifest(json.loads(path.read_bytes()))
    except (OSError, ValueError, RecursionError):
        return False


def _is_manifest(read: object) -> bool:
    try:
        msgspec.convert(read, _Shape)
    except msgspec.ValidationError:
        return False
    return True


def holds_records(folder: Path) -> bool:
    """Whether a folder holds a built corpus of training records, and not of documents."""
    recipe = read_manifest(folder).get("recipe") if is_corpus(folder) else None
    output = recipe.get("output") if isinstance(recipe, dict) else None
    return isinstance(output, dict) and output.get("form") == "records"


def _in_order(counts: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    return {name: dict(sorted(reasons.items())) for name, reasons in sorted(counts.items())}


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
