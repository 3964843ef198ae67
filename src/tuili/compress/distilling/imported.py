"""A student of an imported model: its teacher with fewer layers, which learns what the whole teacher predicts.

The kept layers are spaced evenly and include the first and the last (Sanh et al. 2019, arXiv 1910.01108). Narrower
students are made by pruning instead, and only models of Tuili's own have students that learn from written chains.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from tuili.compress.compression import Compression
from tuili.compress.dense import new_dense
from tuili.compress.distilling.losses import TextStudent
from tuili.compress.distilling.recipe import LEARNS, DistilConfig, StudentConfig
from tuili.compress.imported import ImportedParent
from tuili.compress.network import Network
from tuili.compress.parent import Samples
from tuili.compress.watch import Watch
from tuili.errors import InputError
from tuili.posttrain import LearningNetwork
from tuili.store import DenseShape

LAYERS = "num_hidden_layers"
_LAYER = re.compile(r"(?<=^model\.layers\.)[0-9]+")


class ImportedDistilling(Compression):
    """One imported teacher with one student."""

    step = "distil"

    def __init__(self, parent: ImportedParent, config: DistilConfig) -> None:
        super().__init__(parent)
        self._config, self._imported, shape = config, parent, parent.shape
        assert isinstance(shape, DenseShape)
        given = StudentConfig(overrides=config.to.overrides)
        taken = {"on_policy": config.on_policy, "source": config.source, "healing": config.healing}
        writes = config.on_policy or config.source == "teacher" or config.by == "sequence"
        if writes or config != DistilConfig(to=given, by=config.by, **taken):
            raise InputError(
                f"{parent.path} is imported: its student learns given texts, by logits or data, and begins with its "
                "teacher's layers: leave all else out"
            )
        layers, whole = config.to.overrides.get(LAYERS), shape.num_hidden_layers
        if {*config.to.overrides} != {LAYERS} or type(layers) is not int or not 0 < layers < whole:
            raise InputError(
                f"{parent.path} is imported: give its student fewer than {whole} layers, as in --to {LAYERS}="
                f"{max(1, whole * 3 // 4)}; prune makes it narrower"
            )
        if shape.ranks:
            raise InputError(f"{parent.path} is factorised: distil its parent, and factorise what comes out")
        self._kept = even_layers(layers, whole)
        self._shape = replace(shape, num_hidden_layers=layers, exit_layers=())

    @property
    def recipe(self) -> Mapping[str, Any]:
        """See `Compression`: the student writes nothing."""
        return self._config.model_dump(mode="json") | {"on_policy": 0.0, "source": "texts"}

    @property
    def shape(self) -> DenseShape:
        """See `Compression`."""
        return self._shape

    @property
    def changes(self) -> Mapping[str, str]:
        """See `Compression`."""
        kept = ", ".join(str(layer + 1) for layer in self._kept)
        return {"layers that stay": kept, "learns": LEARNS[self._config.by]}

    def blank(self, stage: int) -> nn.Module:
        """See `Compression`."""
        return with_layers(self._imported.transformers_config, self._kept, self._imported.compute_dtype)

    def change(self, stage: int, model: nn.Module, samples: Samples, watch: Watch) -> nn.Module:
        """See `Compression`: removes some layers."""
        student, given = self.blank(stage), model.state_dict()
        student.load_state_dict({name: given[self._source(name)] for name in student.state_dict()})
        return student

    def learner(self, stage: int, student: Network, teacher: Network) -> LearningNetwork:
        """See `Compression`."""
        return TextStudent(student) if self._config.by == "data" else super().learner(stage, student, teacher)

    def _source(self, name: str) -> str:
        """The name of the teacher's tensor that a tensor of the student starts from."""
        return _LAYER.sub(lambda found: str(self._kept[int(found[0])]), name)


def even_layers(count: int, of: int) -> list[int]:
    """This many evenly spaced layers, including the first and the last; only the last if there is just one."""
    return [of - 1] if count == 1 else [number * (of - 1) // (count - 1) for number in range(count)]


def with_layers(model_config: Any, kept: Sequence[int], dtype: torch.dtype) -> nn.Module:
    """A model with new weights, from a transformers configuration reduced to some of its layers."""
    kinds = getattr(model_config, "layer_types", None)
    of_kept = {} if kinds is None else {"layer_types": [kinds[layer] for layer in kept]}
    return new_dense(model_config, dtype, num_hidden_layers=len(kept), **of_kept)
