"""A model in a folder, found and checked, with its shape and tokenizer; its weights are still in their files."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tuili.errors import InputError, ModelFolderError
from tuili.store.folder import check_files, check_size, resolve_model
from tuili.store.lineage import check_recorded
from tuili.store.shape import CONFIG_FIELDS, ModelShape, read_shape
from tuili.store.size import count_parameters
from tuili.store.tensors import open_tensors
from tuili.store.tokenizer import Tokenizer

_Stamp = tuple[tuple[str, int, int, int], ...]
"""The name, the number in the file system, the bytes and the time of the last change of each file."""


@dataclass(frozen=True)
class StoredModel:
    """A sound model folder. `open_tensors` reads its weights."""

    path: Path
    shape: ModelShape
    tokenizer: Tokenizer
    _stamp: _Stamp = field(repr=False)
    """The files of shape, tokenizer and weights, as they were when the model was opened."""

    def check_unchanged(self) -> None:
        """Raise `ModelFolderError` where shape, tokenizer and weights, as far as they have been read, may not belong
        together, because a file was written since the model was opened.
        """
        now = _stamp_of(self.path)
        if changed := sorted(name for name, *_ in {*now} ^ {*self._stamp}):
            raise ModelFolderError(f"{self.path / changed[0]} was written while the model was read: load it again")


def open_model(name: str | Path) -> StoredModel:
    """Find a model and check all that can be checked without building it.

    Raises `ModelFolderError`, in one line, where `tuili.model.load_model` does: when the folder is missing, unsafe,
    damaged or of another model type, when its tensors are not exactly those that its configuration asks for, and when
    its files are not those that its lineage records.
    """
    path = resolve_model(name)
    stamp = _stamp_of(path)
    check_files(path, CONFIG_FIELDS)
    shape = read_shape(path)
    check_size(path, count_parameters(shape).total)
    with open_tensors(path, shape):
        pass  # their names, shapes and places are in order
    tokenizer = load_tokenizer(path, shape.vocab_size)
    check_recorded(path)  # last, because other errors say more
    return StoredModel(path, shape, tokenizer, stamp)


def load_tokenizer(folder: Path, vocab_size: int) -> Tokenizer:
    """The tokenizer of a folder whose model has so many entries. Raises `ModelFolderError` where it does not fit."""
    try:
        tokenizer = Tokenizer.load(folder)
    except InputError as error:
        raise ModelFolderError(str(error)) from error
    if tokenizer.size > vocab_size:
        raise ModelFolderError(
            f"{folder}: the tokenizer has {tokenizer.size} entries and the model {vocab_size}: "
            "they do not belong together"
        )
    return tokenizer


def _stamp_of(folder: Path) -> _Stamp:
    stamp = []
    for file in sorted((*folder.glob("*.json"), *folder.glob("*.safetensors"))):
        with suppress(FileNotFoundError):  # it is gone since it was listed
            found = file.stat()
            stamp.append((file.name, found.st_ino, found.st_size, found.st_mtime_ns))
    return tuple(stamp)
