"""Lineage: one entry for each step that made a model, kept in the model folder as `tuili/lineage.json`.

A step names its parent by the hash of the parent's weights and configuration, so that a chain of folders can be
verified without trusting their names. The entries are chained by hashes of their own, which tell a change of one.
Replacing the folder around the file is left to `folder`.
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
"""Steps behind which the weights are those that were taught."""
_HASH_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class LineageEntry:
    """One step that made a model.

    recipe: its whole resolved recipe. figures: what it measured. tokens: those that it read. hours: wall-clock time.
    files: SHA-256, in hex, of each file of questions that a teaching read, by the name that its recipe gives it.
    parent, hash: the same of the model before and after the step. verifier: the same of the file of the verifier that
    the step made. tokenizer: the same of each file of the tokenizer, by its name; `write_lineage` notes it.
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
    """An entry as it must stand in a file, where its date and versions may not be left out.

    chain: SHA-256 over it and all entries before it; none has it where an earlier version of Tuili wrote the file.
    """

    date: str
    versions: Mapping[str, str]
    chain: str | None = None


_STORED_LINEAGE = TypeAdapter(tuple[_StoredEntry, ...])


def read_lineage(folder: Path) -> tuple[LineageEntry, ...]:
    """The entries of a model folder, oldest first; none when it has no lineage file.

    Raises `ModelFolderError` when the file is not a list of entries. Whether one was changed, `check_recorded` tells.
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
    """Write the entries, oldest first, into a model folder, whose tokenizer the newest one records, if there is one."""
    if entries:
        entries = (*entries[:-1], replace(entries[-1], tokenizer=_tokenizer_hashes(folder)))
    documents = json.loads(json.dumps([asdict(entry) for entry in entries]))  # as they are read again
    for document, chain in zip(documents, _chain(documents), strict=True):
        document["chain"] = chain
    path = folder / LINEAGE_FILE
    path.parent.mkdir(exist_ok=True)
    write_durably(path, (json.dumps(documents, indent=2) + "\n").encode())


def learnt_numbers(lineage: Sequence[LineageEntry]) -> WholeNumbers | None:
    """The whole numbers that a model was taught in at last, though its folder keeps full ones: what it has learnt are
    the numbers to which these are rounded, and whatever else changes them undoes that. None for any other model."""
    for entry in reversed(lineage):
        if entry.step not in KEEPS_WEIGHTS:
            taught = entry.recipe.get("teach")
            return "int8" if isinstance(taught, Mapping) and taught.get("qat") is True else None
    return None


def check_recorded(folder: Path) -> None:
    """Refuse, by `ModelFolderError`, a folder of which something is not as its lineage records it: its weights, its
    configuration, its tokenizer, or an entry of the lineage itself.

    This finds what a header cannot tell: bytes that were damaged in a file of the same size. What is not recorded is
    accepted.
    """
    if (change := change_since_recorded(folder)) is not None:
        raise ModelFolderError(change)


def change_since_recorded(folder: Path, digest: str | None = None) -> str | None:
    """What `check_recorded` refuses, in one line with what would be right; None where all is as recorded.

    digest: the folder's `model_hash`, where it is known. Raises `ModelFolderError` as `read_lineage` does.
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
    """The first entry that is not as it was written, or whose parent no earlier one made."""
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
    """The first file of the tokenizer that is not as the newest entry records it."""
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
    """The weights and the configuration, where they are not those with the recorded hash."""
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
    """Of each entry, as it stands in a file, SHA-256 over what it says and over the chain of the one before it."""
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
