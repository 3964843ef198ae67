"""Model folders: find one by name, refuse it if it is unsafe or damaged, and replace one atomically.

A folder is in Hugging Face layout with safetensors only; nothing in it is ever unpickled or run. The other modules of
this package read its files; `tuili.model` builds a network from them.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from tuili.errors import ModelFolderError, one_line
from tuili.files import flush, flush_all, refusing_faults
from tuili.store.fetched import IMPORTABLE, adapter_names, cached_model, is_fetched
from tuili.store.safetensors import check_safetensors
from tuili.store.template_files import TEMPLATE_FILE, TEMPLATE_FOLDER

SHIPPED_MODELS = Path(__file__).parents[1] / "models"
"""The folder inside the package that holds one folder for each model."""
MODEL_TYPE = "tuili"
CONFIG_FILE = "config.json"
INDEX_FILE = "model.safetensors.index.json"
PICKLE_SUFFIXES = frozenset({".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib"})
FETCHED_FILES = ("*.safetensors", "*.json", TEMPLATE_FILE, f"{TEMPLATE_FOLDER}/*.jinja")
"""The files requested from the hub."""
MAX_PARAMETERS_PER_BYTE = 8
"""A parameter takes at least one bit."""
Kind = TypeVar("Kind")
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]{,95}/[A-Za-z0-9][\w.-]{,95}")


def shipped_names() -> tuple[str, ...]:
    """The names of the models inside the package."""
    return tuple(sorted(path.parent.name for path in SHIPPED_MODELS.glob(f"*/{CONFIG_FILE}")))


def resolve_model(name: str | Path) -> Path:
    """Resolve a name to a folder: a shipped model (`nano`), a fetched one (`smollm2-math`), a folder, or a repository
    on the Hugging Face hub.

    A shipped or fetched name takes precedence over a folder of the same name (write `./nano` for the folder). Only
    safetensors, JSON files and chat templates are fetched from the hub. Raises `ModelFolderError` if the name is none
    of the four.
    """
    text, path = str(name), Path(name)
    if text in shipped_names():
        return SHIPPED_MODELS / text
    fetchable = text in adapter_names()
    if fetchable and is_fetched(text, cached_model(text)):
        return cached_model(text)
    if os.path.lexists(text):  # False for a name that is empty or too long
        if path.is_dir():
            return path
        raise ModelFolderError(f"{path} is a file: give the model folder that holds config.json and *.safetensors")
    if _HUB_NAME.fullmatch(text) and not path.parent.is_dir():
        return _download(text)
    if fetchable:
        state = "is of another version of Tuili" if cached_model(text).is_dir() else "is not on this machine yet"
        raise ModelFolderError(f"model {text} {state}: `tuili fetch {text}` gets it")
    if text in IMPORTABLE:
        raise ModelFolderError(f"model {text} not found: `tuili import {text} --out {text}` gets it")
    shipped = ", ".join((*shipped_names(), *adapter_names())) or "none in this installation"
    raise ModelFolderError(
        f"model {text!r} not found: give a folder, a hub name (owner/name) or a shipped name ({shipped})"
    )


def check_files(
    folder: Path, known_fields: Collection[str] | None = None, model_types: Sequence[str] = (MODEL_TYPE,)
) -> None:
    """Raise `ModelFolderError` if a folder's files do not form a sound and safe model. Reads no tensor.

    known_fields: the fields that config.json may have; None allows any. A caller that uses transformers, which
    also obeys other fields, must name them. model_types: the accepted kinds of model.
    """
    with _unreadable_refused(folder):
        _check_files(folder, known_fields, model_types)


def model_type(folder: Path) -> object:
    """The `model_type` in config.json; None if absent. Raises `ModelFolderError` if there is no config.json."""
    with _unreadable_refused(folder):
        return read_object(_config_file(folder)).get("model_type")


def check_size(folder: Path, parameters: int) -> None:
    """Raise `ModelFolderError` if a folder's weight files are too small for this number of parameters.

    Call it before allocating memory for them.
    """
    with _unreadable_refused(folder):
        stored = weight_bytes(folder)
    if parameters > MAX_PARAMETERS_PER_BYTE * stored:
        raise ModelFolderError(
            f"{folder}: the configuration asks for {parameters:,} parameters, the weights have {stored:,} bytes"
        )


def weight_bytes(folder: Path) -> int:
    """The total size of a model's weight files, in bytes."""
    return sum(file.stat().st_size for file in folder.glob("*.safetensors"))


@contextmanager
def replaced_folder(folder: Path) -> Iterator[Path]:
    """Yield a path for a new model folder, which becomes `folder` if the block ends without an error.

    An existing model folder is replaced as a whole. Raises `ModelFolderError` if the folder holds anything else. An
    error or a signal leaves the old folder or the new one, never a mixture. A kill between the two renames leaves the
    old folder as `.NAME.old` in the same parent folder; the next call first puts it back. The next call also removes
    what a kill left in `.NAME.scratch`. Raises `InputError` if the system does not allow writing.
    """
    with refusing_faults(folder), _replaced(folder) as fresh:
        yield fresh


@contextmanager
def _replaced(folder: Path) -> Iterator[Path]:
    if Path.cwd().is_relative_to(folder.resolve()):
        raise ModelFolderError(
            f"{folder} is the working folder or holds it, and a model's folder is replaced as a whole: name another"
        )
    if folder.exists() and not (folder / CONFIG_FILE).is_file() and (folder.is_file() or any(folder.iterdir())):
        raise ModelFolderError(f"{folder} exists and is not a model folder: choose another name or remove it")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _scratch_folder(folder) as scratch:
        fresh, stale = scratch / "new", folder.with_name(f".{folder.name}.old")
        if stale.exists():  # left by a kill
            stale.rename(scratch / "older" if folder.exists() else folder)
        yield fresh
        flush_all(fresh)
        try:
            if folder.exists():
                folder.rename(stale)
            fresh.rename(folder)
            flush(folder.parent)
        except BaseException:
            if stale.exists() and not folder.exists():
                stale.rename(folder)
            raise
        if stale.exists():
            stale.rename(scratch / "old")


@contextmanager
def _unreadable_refused(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        remedy = "; check its permissions" if isinstance(error, PermissionError) else ""
        reason = f"{error.strerror or error}{remedy}"
        raise ModelFolderError(f"{error.filename or folder} cannot be read: {reason}") from error


def _config_file(folder: Path) -> Path:
    config = folder / CONFIG_FILE
    if not config.is_file():
        of_run = folder / "model"
        right = of_run if (of_run / CONFIG_FILE).is_file() else "the folder that `tuili train` wrote the model to"
        raise ModelFolderError(f"{folder} has no config.json: give {right}")
    return config


def _check_files(folder: Path, known_fields: Collection[str] | None, model_types: Sequence[str]) -> None:
    config = _config_file(folder)
    for file in sorted(folder.rglob("*")):
        if file.suffix.lower() in PICKLE_SUFFIXES:
            raise ModelFolderError(f"{file} may hold a pickle, which can run code: keep only safetensors weights")
    fields = read_object(config)
    if (found := fields.get("model_type")) not in model_types:
        raise ModelFolderError(f"{config}: model_type is {found!r}, it must be {' or '.join(map(repr, model_types))}")
    if known_fields is not None and (unknown := sorted(fields.keys() - known_fields)):
        raise ModelFolderError(f"{config}: {unknown[0]!r} is not a field of a Tuili configuration: remove it")
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise ModelFolderError(f"{folder} has no weights: a model folder holds at least one *.safetensors file")
    for file in weights:
        check_safetensors(file)
    _check_index(folder / INDEX_FILE, [file.name for file in weights])
    if not (folder / "tokenizer.json").is_file():
        raise ModelFolderError(f"{folder} has no tokenizer.json: save the tokenizer beside the weights")
    (folder / "tokenizer.json").open().close()


def _check_index(index: Path, weights: Sequence[str]) -> None:
    """Refuse an index that names anything but weight files in its own folder, because the named files are opened."""
    if not index.is_file():
        return
    weight_map = read_object(index).get("weight_map")
    if not isinstance(weight_map, dict):
        raise ModelFolderError(f"{index} has no weight_map: it must say in which file each tensor is")
    for file in weight_map.values():
        if file not in weights:
            raise ModelFolderError(f"{index} names {file!r}: use one of the folder's own {', '.join(weights)}")


@contextmanager
def _scratch_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder on the same disk as `path`, for content that is then moved there; remove it at the end.

    The next call for the same path removes what a kill left behind. Raises `ModelFolderError` while another process is
    working on that path.
    """
    scratch = path.with_name(f".{path.name}.scratch")
    content = scratch / "content"
    scratch.mkdir(exist_ok=True)
    with (scratch / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ModelFolderError(f"{path} is being written by another process: wait until it ends") from None
        try:
            shutil.rmtree(content, ignore_errors=True)
            content.mkdir()
            yield content
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _download(name: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=list(FETCHED_FILES)))
    except Exception as error:  # its HTTP client may raise anything: names, networks, permissions and disks fail
        raise ModelFolderError(
            f"model {name!r} is no folder here and could not be fetched from the hub: {one_line(error)}"
        ) from error


def read_part(path: Path, kind: TypeAdapter[Kind], remedy: str) -> Kind | None:
    """Read the JSON file of a part of a model; None if there is no such file.

    remedy: advice in the `ModelFolderError` that is raised for a damaged file.
    """
    if not path.is_file():
        return None
    try:
        return kind.validate_json(path.read_bytes(), strict=True, extra="forbid")
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"]))
        raise ModelFolderError(f"{path} is damaged: {f'{key}: ' if key else ''}{first['msg']}; {remedy}") from error


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises `ModelFolderError` if the file holds anything else."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ModelFolderError(f"{path} is not a JSON object: {one_line(error)}") from error
    if not isinstance(document, dict):
        raise ModelFolderError(f"{path} is not a JSON object")
    return document
