"""Parents without weights: a shape in place of a model, for what compression methods compute from shapes alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch

from tuili.compress import HealingConfig, ImportedParent, OwnParent, Parent
from tuili.errors import InputError
from tuili.model import TuiliConfig
from tuili.planning.source import PlannedModel
from tuili.store import DenseShape, ImportedModel, ModelShape, StoredModel


@dataclass(frozen=True)
class _Unstored:
    """What a method reads of a stored model. path: the name that its error messages use."""

    path: Path
    shape: ModelShape | DenseShape


class _PlannedOwn(OwnParent):
    def __init__(self, model: PlannedModel, healing: HealingConfig) -> None:
        super().__init__(cast(StoredModel, _Unstored(Path(model.name), model.shape)), healing)
        assert model.config is not None
        self._planned = model.config
        self.dtype = torch.bfloat16

    @property
    def configuration(self) -> TuiliConfig:
        """See `OwnParent`: it is not read from a folder."""
        return self._planned


class _PlannedImported(ImportedParent):
    def __init__(self, model: PlannedModel, healing: HealingConfig) -> None:
        super().__init__(cast(ImportedModel, _Unstored(Path(model.name), model.shape)), healing)
        self.dtype = torch.bfloat16


def planned_parent(model: PlannedModel, healing: HealingConfig) -> Parent:
    """A network as the parent of a compression that is only planned. Raises `InputError` for a quantised one."""
    if model.shape.quantization is not None:
        raise InputError(
            f"{model.name} was quantised ({model.shape.quantization.numbers}), which is the last step of all: plan "
            "from the model that it was made of"
        )
    return _PlannedImported(model, healing) if model.config is None else _PlannedOwn(model, healing)
