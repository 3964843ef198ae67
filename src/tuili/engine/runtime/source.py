"""A model to be run: still in its folder, or in torch's memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tuili.engine.runtime.choice import DeviceName
from tuili.engine.runtime.step import Shape
from tuili.errors import InputError
from tuili.store import (
    AnyTokenizer,
    DenseShape,
    ImportedModel,
    StoredModel,
    Tokenizer,
    open_model,
    read_dense_shape,
    read_exits_file,
    thinking_ids,
)


class ModelInTorch(Protocol):
    """What `tuili.model.load_model` makes: a network with its tokenizer and folder. The network may also be the one
    that transformers makes from the folder of an imported model."""

    @property
    def model(self) -> Any:
        """The network."""
        ...

    @property
    def tokenizer(self) -> AnyTokenizer:
        """The tokenizer."""
        ...

    @property
    def path(self) -> Path:
        """The folder, which may hold a verifier and a calibration."""
        ...


OpenModel: TypeAlias = StoredModel | ImportedModel | ModelInTorch
ModelSource: TypeAlias = str | Path | OpenModel
"""A folder, a hub name or a shipped name, or the result of `tuili.store.open_model` or `tuili.model.load_model` for
one. Weights in memory must not change afterwards; files may."""


def opened(source: ModelSource) -> OpenModel:
    """Open the model if necessary. Raises `ModelFolderError` as `open_model` does."""
    return open_model(source) if isinstance(source, str | Path) else source


def shape_of(model: OpenModel) -> Shape:
    """The shape of a model."""
    if isinstance(model, StoredModel | ImportedModel):
        return model.shape
    shape: Shape | None = getattr(model.model.config, "shape", None)
    return read_dense_shape(model.path) if shape is None else shape


def device_of(model: OpenModel, wanted: DeviceName | None) -> str:
    """The kind of device that the model should run on, as torch names it.

    wanted: see `RunOptions`. Raises `InputError` if the model is in memory on another device.
    """
    if isinstance(model, StoredModel | ImportedModel):
        return wanted or "cpu"
    found = str(model.model.device.type)
    if wanted not in (None, found):
        raise InputError(f"device {wanted} is asked for, and the model is on {found}: move it there first")
    return found


def exits_of(model: OpenModel) -> tuple[Mapping[str, NDArray[np.float32]], NDArray[np.int32] | None]:
    """The tensors of an imported model's exits, by their names in its file of exits, and the tokens whose logits show
    how confident an exit is; empty and None if there are no exits."""
    shape = shape_of(model)
    if not isinstance(shape, DenseShape):
        return {}, None
    exits = read_exits_file(model.path, shape.num_hidden_layers, shape.hidden_size, shape.vocab_size)
    return ({}, None) if exits is None else (exits.tensors, exits.common_tokens_X)


def thinking_of(model: OpenModel) -> NDArray[np.int32] | None:
    """The tokens that an imported model chooses among while it thinks; None for all tokens."""
    return None if isinstance(model.tokenizer, Tokenizer) else thinking_ids(model.path, model.tokenizer)
