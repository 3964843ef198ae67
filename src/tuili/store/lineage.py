"""Lineage: one entry for each step that made a model, kept in the model folder as `tuili/lineage.json`.

A step names its parent by the hash of the parent's weights and configuration, so that a chain of folders can be
verified without trusting their names. Replacing the folder around the file is left to `folder`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from tuili.errors import ModelFolderError
from tuili.provenance import current_versions, timestamp
from tuili.store.quantization import WholeNumbers

LINEAGE_FILE = Path("tuili") / "lineage.json"
KEEPS_WEIGHTS = frozenset({"verifier", "exits"})
"""Steps behind which the weights are those that were taught."""
_HASH_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class LineageEntry:
    """One step that made a model.

    recipe: its whole resolved recipe. figures: what it measured. tokens: those that it read. hours: wall-clock time.
    files: SHA-256, in hex, of each file of questions that a teaching read, by the name that its recipe gives it.
    parent, hash: the same of the model before and after the step. verifier: the same of the file of the verifier that
    the step made.
    """

    step: str
    recipe: Mapping[str, Any] = field(default_factory=dict)
    figures: Mapping[str, float] = field(default_factory=dict)
    seeds: Mapping[str, int] = field(default_factory=dict)
    tokens: int = 0
    hours: float = 0.0
    files: Mapping[str, str] = field(default_factory=dict)
    parent: str | None = None
    hash: str | None = None
    verifier: str | None = None
    date: str = field(default_factory=timestamp)
    versions: Mapping[str, str] = field(default_factory=current_versions)


@dataclass(frozen=True, kw_only=True)
class _StoredEntry(LineageEntry):
    """An entry as it must stand in a file, where its date and versions may not be left out."""

    date: str
    versions: Mapping[str, str]


_STORED_LINEAGE = TypeAdapter(tuple[_StoredEntry, ...])


def read_lineage(folder: Path) -> tuple[LineageEntry, ...]:
    """The entries of a model folder, oldest first; none when it has no lineage file.

    Raises `ModelFolderError` when the file is not a list of entries.
    """
    path = folder / LINEAGE_FILE
    if not path.is_file():
        return ()
    try:
        entries = _STORED_LINEAGE.validate_json(path.read_bytes(), strict=True, extra="forbid")
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"]))
        reason = f"{key!r}: {first['msg']}" if key else first["msg"]
        raise ModelFolderError(f"{path} is not a list of lineage entries: {reason}") from error
    return tuple(LineageEntry(**vars(entry)) for entry in entries)


def write_lineage(folder: Path, entries: tuple[LineageEntry, ...]) -> None:
    """Write the entries, oldest first, into a model folder."""
    path = folder / LINEAGE_FILE
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps([asdict(entry) for entry in entries], indent=2) + "\n", encoding="utf-8")


def learnt_numbers(lineage: Sequence[LineageEntry]) -> WholeNumbers | None:
    """The whole numbers that a model was taught in at last, though its folder keeps full ones: what it has learnt are
    the numbers to which these are rounded, and whatever else changes them undoes that. None for any other model."""
    for entry in reversed(lineage):
        if entry.step not in KEEPS_WEIGHTS:
            taught = entry.recipe.get("teach")
            return "int8" if isinstance(taught, Mapping) and taught.get("qat") is True else None
    return None


def check_recorded(folder: Path) -> None:
    """Refuse, by `ModelFolderError`, a folder whose weights or configuration are not those that its lineage records.

    This finds what a header cannot tell: bytes that were damaged in a file of the same size. A folder without a
    recorded hash is accepted.
    """
    lineage = read_lineage(folder)
    recorded = lineage[-1].hash if lineage else None
    if recorded is None or (found := model_hash(folder)) == recorded:
        return
    files = ", ".join(file.name for file in sorted(folder.glob("*.safetensors")))
    raise ModelFolderError(
        f"{folder}: {files} or config.json is damaged or was changed: {LINEAGE_FILE} records the hash {recorded}, "
        f"theirs is {found}; bring the files back, or delete {LINEAGE_FILE} if the change is yours"
    )


def model_hash(folder: Path) -> str:
    """SHA-256 over the configuration and every weight file of a folder, in the order of their names."""
    digest = hashlib.sha256()
    for path in sorted([folder / "config.json", *folder.glob("*.safetensors")]):
        digest.update(f"{path.name}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            while block := file.read(_HASH_BLOCK_BYTES):
                digest.update(block)
    return digest.hexdigest()
