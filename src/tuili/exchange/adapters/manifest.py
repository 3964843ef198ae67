"""`fetch.json` of a shipped adapter: its base, the resulting model, and the hash of each of its files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from tuili.errors import InputError
from tuili.files import file_hash
from tuili.store import MANIFEST_FILE, adapter_names, shipped_adapter

PARTS_FOLDER = "tuili"
CARD_FILE = "README.md"
_Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


@dataclass(frozen=True)
class Manifest:
    """base: a name of `NAMED_SOURCES`. base_hash, model_hash: of the models before and after. files: the SHA-256 of
    each file of the adapter except its card, by path in the folder; those under `tuili` are parts of the model.
    """

    base: str
    base_hash: _Hash
    model_hash: _Hash
    files: Mapping[str, _Hash]

    @property
    def parts(self) -> list[Path]:
        """The files that are copied into the model."""
        return [path for path in map(Path, sorted(self.files)) if path.parts[0] == PARTS_FOLDER]


_MANIFEST = TypeAdapter(Manifest)


def read_manifest(name: str) -> Manifest:
    """The manifest of a model that can be fetched. Raises `InputError` for another name or an incomplete adapter."""
    if name not in adapter_names():
        names = adapter_names()
        known = f"use one of {', '.join(names)}" if names else "this installation has none"
        raise InputError(f"no model {name[:60]!r} can be fetched: {known}")
    folder = shipped_adapter(name)
    try:
        manifest = _MANIFEST.validate_json((folder / MANIFEST_FILE).read_bytes(), strict=True, extra="forbid")
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise InputError(f"{folder / MANIFEST_FILE}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    for path, wanted in manifest.files.items():
        if not (folder / path).is_file() or file_hash(folder / path) != wanted:
            raise InputError(f"{folder / path} is missing, damaged or was changed: install Tuili again")
    return manifest


def write_manifest(folder: Path, base: str, base_hash: str, model_hash: str) -> None:
    """Write the manifest of the adapter in a folder that has all its other files. It leaves out the card, so that a
    new card makes no new model."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != CARD_FILE)
    manifest = Manifest(base, base_hash, model_hash, {str(p.relative_to(folder)): file_hash(p) for p in paths})
    (folder / MANIFEST_FILE).write_text(json.dumps(asdict(manifest), indent=2) + "\n", encoding="utf-8")
