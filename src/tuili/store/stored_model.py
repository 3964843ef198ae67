"""A model folder that was found and checked, with its shape and tokenizer; the weights are not loaded yet."""

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
"""The path, inode number, size in bytes and modification time of each file."""
_READ_FILES = ("*.json", "*.safetensors", "tuili/exits.*", "tuili/thinking.json")


@dataclass(frozen=True)
class _Stored:
    """A sound model folder. `open_tensors` reads its weights."""

    path: Path
    _stamp: _Stamp = field(repr=False)
    """The state of the shape, tokenizer and weight files when the model was opened."""

    def check_unchanged(self) -> None:
        """Raise `ModelFolderError` if a file was written since the model was opened: the shape, tokenizer and weights
        read so far may then not belong together.
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
    """A folder with an imported dense model of the Llama, Qwen2 or Qwen3 family."""

    shape: DenseShape
    tokenizer: ForeignTokenizer


def open_model(name: str | Path) -> StoredModel | ImportedModel:
    """Find a model and check everything that can be checked without building it.

    Raises `ModelFolderError`, with a one-line message, in the same cases as `tuili.model.load_model`: if the folder is
    missing, unsafe, damaged or of another model type, if its tensors are not exactly those that its configuration
    requires, or if its files differ from what its lineage records.
    """
    path = resolve_model(name)
    return _open_imported(path) if model_type(path) in IMPORTED_TYPES else _open_own(path, (MODEL_TYPE, *FAMILIES))


def check_model_folder(name: str | Path) -> Path:
    """Find a model and check its configuration, without reading its tokenizer or tensors. Returns its folder.

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
    """Like `open_model`, for callers that support only Tuili's own kind: other model types are refused."""
    return _open_own(resolve_model(name), (MODEL_TYPE,))


def _open_own(path: Path, model_types: tuple[str, ...]) -> StoredModel:
    stamp = _stamp_of(path)
    check_files(path, CONFIG_FIELDS, model_types)
    shape = read_shape(path)
    check_size(path, count_parameters(shape).total)
    with open_tensors(path, shape):
        pass  # checks their names, shapes and places
    tokenizer = load_tokenizer(path, shape.vocab_size)
    check_recorded(path)  # last, because other errors are more informative
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
    """The tokenizer of a folder. Raises `ModelFolderError` if it has more entries than the model, `vocab_size`."""
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
        with suppress(FileNotFoundError):  # deleted since it was listed
            found = file.stat()
            stamp.append((str(file.relative_to(folder)), found.st_ino, found.st_size, found.st_mtime_ns))
    return tuple(stamp)
