"""A model in a folder, found and checked, with its shape and tokenizer; its weights are still in their files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tuili.errors import InputError, ModelFolderError
from tuili.store.folder import check_files, check_size, resolve_model
from tuili.store.lineage import check_recorded
from tuili.store.shape import CONFIG_FIELDS, ModelShape, read_shape
from tuili.store.size import count_parameters
from tuili.store.tensors import open_tensors
from tuili.store.tokenizer import Tokenizer


@dataclass(frozen=True)
class StoredModel:
    """A sound model folder. `open_tensors` reads its weights."""

    path: Path
    shape: ModelShape
    tokenizer: Tokenizer


def open_model(name: str | Path) -> StoredModel:
    """Find a model and check all that can be checked without building it.

    Raises `ModelFolderError`, in one line, where `tuili.model.load_model` does: when the folder is missing, unsafe,
    damaged or of another model type, when its tensors are not exactly those that its configuration asks for, and when
    its files are not those that its lineage records.
    """
    path = resolve_model(name)
    check_files(path, CONFIG_FIELDS)
    shape = read_shape(path)
    check_size(path, count_parameters(shape).total)
    with open_tensors(path, shape):
        pass  # their names, shapes and places are in order
    tokenizer = load_tokenizer(path, shape.vocab_size)
    check_recorded(path)  # last, because other errors say more
    return StoredModel(path, shape, tokenizer)


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
