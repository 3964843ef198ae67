"""A model that is to be run: still in its folder, or in torch's memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol, TypeAlias

from tuili.store import ModelShape, StoredModel, Tokenizer, open_own_model


class ModelInTorch(Protocol):
    """What `tuili.model.load_model` makes: a network with the tokenizer and the folder that belong to it."""

    @property
    def model(self) -> Any:
        """The network."""
        ...

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer."""
        ...

    @property
    def path(self) -> Path:
        """The folder, which may hold a verifier and a calibration."""
        ...


OpenModel: TypeAlias = StoredModel | ModelInTorch
ModelSource: TypeAlias = str | Path | OpenModel
"""A folder, a hub name or a shipped name, or what `tuili.store.open_own_model` or `tuili.model.load_model` made of one.
Weights in memory must not change afterwards; files may."""


def opened(source: ModelSource) -> OpenModel:
    """The model. Raises `ModelFolderError` as `open_own_model` does."""
    return open_own_model(source) if isinstance(source, str | Path) else source


def shape_of(model: OpenModel) -> ModelShape:
    """Its shape."""
    if isinstance(model, StoredModel):
        return model.shape
    shape: ModelShape = model.model.config.shape
    return shape


def device_of(model: OpenModel) -> str:
    """The kind of device that its weights are on, in torch's words."""
    return "cpu" if isinstance(model, StoredModel) else str(model.model.device.type)
