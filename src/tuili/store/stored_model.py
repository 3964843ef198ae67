"""A model in a folder, found and checked, with its shape and tokenizer; its weights are still in their files."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tuili.errors import InputError, ModelFolderError
from tuili.store.folder import MODEL_TYPE, check_files, check_size, model_type, resolve_model
from tuili.store.imported.dense_config import read_dense_shape
from tuili.store.imported.dense_shape import FAMILIES, IMPORTED_TYPES, DenseShape
from tuili.store.imported.foreign_tokenizer import ForeignTokenizer
from tuili.store.lineage import check_recorded
from tuili.store.shape import CONFIG_FIELDS, ModelShape, read_settings, read_shape
from tuili.store.size import count_parameters
from tuili.store.tensors import open_tensors
from tuili.store.tokenizer import Tokenizer

_Stamp = tuple[tuple[str, int, int, int], ...]
"""The path, the number in the file system, the bytes and the time of the last change of each file."""
_READ_FILES = ("*.json", "*.safetensors", "tuili/exits.*", "tuili/thinking.json")


@dataclass(frozen=True)
class _Stored:
    """A sound model folder. `open_tensors` reads its weights."""

    path: Path
    _stamp: _Stamp = field(repr=False)
    """The files of shape, tokenizer and weights, as they were when the model was opened."""

    def check_unchanged(self) -> None:
        """Raise `ModelFolderError` where shape, tokenizer and weights, as far as they have been read, may not belong
        together, because a file was written since the model was opened.
        """
        now = _stamp_of(self.path)
        if changed := sorted(name for name, *_ in {*now} ^ {*self._stamp}):
            raise ModelFolderError(f"{self.path / changed[0]} was written while the model was read: load it again")


@dataclass(frozen=True)
class StoredModel(_Stored):
    """A folder with a model of Tuili's own kind."""

    shape: ModelShape
    tokenizer: Tokenizer


@dataclass(frozen=True)
class ImportedModel(_Stored):
    """A folder with a dense model of another house: of the Llama, Qwen2 or Qwen3 family."""

    shape: DenseShape
    tokenizer: ForeignTokenizer


def open_model(name: str | Path) -> StoredModel | ImportedModel:
    """Find a model and check all that can be checked without building it.

    Raises `ModelFolderError`, in one line, where `tuili.model.load_model` does: when the folder is missing, unsafe,
    damaged or of another model type, when its tensors are not exactly those that its configuration asks for, and when
    its files are not those that its lineage records.
    """
    path = resolve_model(name)
    return _open_imported(path) if model_type(path) in IMPORTED_TYPES else _open_own(path, (MODEL_TYPE, *FAMILIES))


def check_model_folder(name: str | Path) -> Path:
    """Find a model and check its configuration, without reading its tokenizer and tensors. Returns its folder.

    Raises `ModelFolderError` as `open_model` does.
    """
    path = resolve_model(name)
    imported = model_type(path) in IMPORTED_TYPES
    if imported:
        check_files(path, model_types=IMPORTED_TYPES)
    else:
        check_files(path, CONFIG_FIELDS, (MODEL_TYPE, *FAMILIES))
    check_size(path, count_parameters(read_dense_shape(path) if imported else read_settings(path)).total)
    return path


def open_own_model(name: str | Path) -> StoredModel:
    """The same for callers that know Tuili's own kind alone: others are refused by their model type."""
    return _open_own(resolve_model(name), (MODEL_TYPE,))


def _open_own(path: Path, model_types: tuple[str, ...]) -> StoredModel:
    stamp = _stamp_of(path)
    check_files(path, CONFIG_FIELDS, model_types)
    shape = read_shape(path)
    check_size(path, count_parameters(shape).total)
    with open_tensors(path, shape):
        pass  # their names, shapes and places are in order
    tokenizer = load_tokenizer(path, shape.vocab_size)
    check_recorded(path)  # last, because other errors say more
    return StoredModel(path, stamp, shape, tokenizer)


def _open_imported(path: Path) -> ImportedModel:
    stamp = _stamp_of(path)
    check_files(path, model_types=IMPORTED_TYPES)
    shape = read_dense_shape(path)
    check_size(path, count_parameters(shape).total)
    with open_tensors(path, shape):
        pass
    with ThreadPoolExecutor(1) as pool:
        recorded = pool.submit(check_recorded, path)  # large files are hashed while the tokenizer is read
        try:
            tokenizer = ForeignTokenizer.load(path, shape.eos_token_ids)
        except InputError as error:
            raise ModelFolderError(str(error)) from error
        _check_fits(path, tokenizer.size, shape.vocab_size)
        recorded.result()
    return ImportedModel(path, stamp, shape, tokenizer)


def load_tokenizer(folder: Path, vocab_size: int) -> Tokenizer:
    """The tokenizer of a folder whose model has so many entries. Raises `ModelFolderError` where it does not fit."""
    try:
        tokenizer = Tokenizer.load(folder)
    except InputError as error:
        raise ModelFolderError(str(error)) from error
    _check_fits(folder, tokenizer.size, vocab_size)
    return tokenizer


def _check_fits(folder: Path, entries: int, vocab_size: int) -> None:
    if entries > vocab_size:
        raise ModelFolderError(
            f"{folder}: the tokenizer has {entries} entries and the model {vocab_size}: they do not belong together"
        )


def _stamp_of(folder: Path) -> _Stamp:
    stamp = []
    for file in sorted(file for pattern in _READ_FILES for file in folder.glob(pattern)):
        with suppress(FileNotFoundError):  # it is gone since it was listed
            found = file.stat()
            stamp.append((str(file.relative_to(folder)), found.st_ino, found.st_size, found.st_mtime_ns))
    return tuple(stamp)
