"""Lineage: one entry for each step that made a model, kept in the model folder as `tuili/lineage.json`.

A step identifies its parent by the hash of the parent's weights and configuration, so that a chain of folders can be
verified without trusting their names. The entries are also linked by a hash chain, which reveals a change to any entry.
`folder` replaces the folder around the file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from tuili.errors import ModelFolderError
from tuili.files import file_hash, write_durably
from tuili.provenance import current_versions, timestamp
from tuili.store.quantization import WholeNumbers
from tuili.store.template_files import TEMPLATE_FOLDER
from tuili.store.tokenizer import TOKENIZER_FILES

LINEAGE_FILE = Path("tuili") / "lineage.json"
KEEPS_WEIGHTS = frozenset({"verifier", "exits"})
"""Steps that leave the taught weights unchanged."""
_HASH_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class LineageEntry:
    """One step that made a model.

    recipe: its whole resolved recipe. figures: what it measured. tokens: how many it read. hours: wall-clock time.
    The other fields are SHA-256 hashes in hex. files: of each question file that a teaching read, by its name in the
    recipe. parent, hash: of the model before and after the step. verifier: of the verifier file that the step made.
    tokenizer: of each tokenizer file, by name; `write_lineage` fills it in.
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
    tokenizer: Mapping[str, str] = field(default_factory=dict)
    date: str = field(default_factory=timestamp)
    versions: Mapping[str, str] = field(default_factory=current_versions)


@dataclass(frozen=True, kw_only=True)
class _StoredEntry(LineageEntry):
    """An entry as stored in a file, where date and versions are mandatory.

    chain: SHA-256 over this entry and all earlier ones; absent from every entry if an earlier version of Tuili wrote
    the file.
    """

    date: str
    versions: Mapping[str, str]
    chain: str | None = None


_STORED_LINEAGE = TypeAdapter(tuple[_StoredEntry, ...])


def read_lineage(folder: Path) -> tuple[LineageEntry, ...]:
    """The entries of a model folder, oldest first; empty if it has no lineage file.

    Raises `ModelFolderError` if the file is not a list of entries. `check_recorded` detects changed entries.
    """
    path = folder / LINEAGE_FILE
    return _entries(path, path.read_bytes()) if path.is_file() else ()


def _entries(path: Path, content: bytes) -> tuple[LineageEntry, ...]:
    try:
        entries = _STORED_LINEAGE.validate_json(content, strict=True, extra="forbid")
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"]))
        reason = f"{key!r}: {first['msg']}" if key else first["msg"]
        raise ModelFolderError(f"{path} is not a list of lineage entries: {reason}") from error
    names = [one.name for one in fields(LineageEntry)]
    return tuple(LineageEntry(**{name: getattr(entry, name) for name in names}) for entry in entries)


def write_lineage(folder: Path, entries: tuple[LineageEntry, ...]) -> None:
    """Write the entries, oldest first, into a model folder. The newest one, if any, records the folder's tokenizer."""
    if entries:
        entries = (*entries[:-1], replace(entries[-1], tokenizer=_tokenizer_hashes(folder)))
    documents = json.loads(json.dumps([asdict(entry) for entry in entries]))  # as they are read back
    for document, chain in zip(documents, _chain(documents), strict=True):
        document["chain"] = chain
    path = folder / LINEAGE_FILE
    path.parent.mkdir(exist_ok=True)
    write_durably(path, (json.dumps(documents, indent=2) + "\n").encode())


def learnt_numbers(lineage: Sequence[LineageEntry]) -> WholeNumbers | None:
    """The integer format of a model's last quantisation-aware teaching, although its folder keeps full-precision
    weights; None for any other model. What the model learnt is the rounded weights: any other change to the weights
    undoes that."""
    for entry in reversed(lineage):
        if entry.step not in KEEPS_WEIGHTS:
            taught = entry.recipe.get("teach")
            return "int8" if isinstance(taught, Mapping) and taught.get("qat") is True else None
    return None


def check_recorded(folder: Path) -> None:
    """Raise `ModelFolderError` if a folder's weights, configuration, tokenizer or lineage entries differ from what its
    lineage records.

    This finds damage that a header cannot reveal: changed bytes in a file of the same size. Anything not recorded is
    accepted.
    """
    if (change := change_since_recorded(folder)) is not None:
        raise ModelFolderError(change)


def change_since_recorded(folder: Path, digest: str | None = None) -> str | None:
    """One line on what `check_recorded` would refuse and what would be right; None if everything is as recorded.

    digest: the folder's `model_hash`, if known. Raises `ModelFolderError` as `read_lineage` does.
    """
    path = folder / LINEAGE_FILE
    content = path.read_bytes() if path.is_file() else b"[]"
    if not (lineage := _entries(path, content)):
        return None
    return (
        _changed_entry(path, content, lineage)
        or _changed_tokenizer(folder, lineage)
        or _changed_model(folder, lineage[-1].hash, digest)
    )


def _changed_entry(path: Path, content: bytes, lineage: Sequence[LineageEntry]) -> str | None:
    """Report the first entry that was changed since it was written, or whose parent was made by no earlier entry."""
    remedy = "bring the file back, or delete it if the change is yours"
    documents = json.loads(content)
    chained, made = any("chain" in document for document in documents), list[str | None]()
    for number, (entry, document, chain) in enumerate(zip(lineage, documents, _chain(documents), strict=True), 1):
        which = f"{path}: entry {number} ({entry.step})"
        if chained and (found := document.get("chain")) != chain:
            return f"{which} is damaged or was changed: its chain is {found}, it must be {chain}; {remedy}"
        if made and None not in (made[-1], entry.parent) and entry.parent not in made:
            return f"{which} has the parent {entry.parent}, it must be {made[-1]}, as the entry before made; {remedy}"
        made.append(entry.hash)
    return None


def _changed_tokenizer(folder: Path, lineage: Sequence[LineageEntry]) -> str | None:
    """Report the first tokenizer file that differs from the record in the newest entry."""
    if not (recorded := lineage[-1].tokenizer):
        return None
    found, entry = _tokenizer_hashes(folder), f"entry {len(lineage)} ({lineage[-1].step}) of {LINEAGE_FILE}"
    for name in sorted(recorded.keys() | found.keys()):
        then, now = recorded.get(name), found.get(name)
        if then != now:
            told = f"records the hash {then}" if then else "records no such file"
            have = f"its own is {now}" if now else "it is missing"
            return (
                f"{folder / name} is damaged or was changed: {entry} {told}, {have}; "
                f"{'bring it back' if then else 'remove it'}, or delete {LINEAGE_FILE} if the change is yours"
            )
    return None


def _changed_model(folder: Path, recorded: str | None, digest: str | None) -> str | None:
    """Report the weights and configuration if their hash is not the recorded one."""
    if recorded is None or (found := digest or model_hash(folder)) == recorded:
        return None
    files = ", ".join(file.name for file in sorted(folder.glob("*.safetensors")))
    return (
        f"{folder}: {files} or config.json is damaged or was changed: {LINEAGE_FILE} records the hash {recorded}, "
        f"theirs is {found}; bring the files back, or delete {LINEAGE_FILE} if the change is yours"
    )


def _tokenizer_hashes(folder: Path) -> dict[str, str]:
    """SHA-256, in hex, of each file of a folder's tokenizer, by its path in the folder."""
    files = [*(folder / name for name in TOKENIZER_FILES), *sorted((folder / TEMPLATE_FOLDER).glob("*.jinja"))]
    return {str(file.relative_to(folder)): file_hash(file) for file in files if file.is_file()}


def _chain(documents: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """For each stored entry, the SHA-256 over its content and the chain value of the preceding entry."""
    chain = ""
    for document in documents:
        told = {name: value for name, value in document.items() if name != "chain"}
        chain = hashlib.sha256(json.dumps([chain, told], sort_keys=True).encode()).hexdigest()
        yield chain


def model_hash(folder: Path) -> str:
    """SHA-256 over the configuration and every weight file of a folder, in the order of their names."""
    digest = hashlib.sha256()
    for path in sorted([folder / "config.json", *folder.glob("*.safetensors")]):
        digest.update(f"{path.name}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            while block := file.read(_HASH_BLOCK_BYTES):
                digest.update(block)
    return digest.hexdigest()
