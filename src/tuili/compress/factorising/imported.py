"""The matrices of an imported dense model: gets their weights, and puts factors in their place.

Dimensions: E a stack of one, O outputs, I inputs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from torch import nn

from tuili.compress.factorising.shared import SharedFactors
from tuili.compress.factorising.whitened import SeparateFactors
from tuili.model import factorised_dense


def dense_matrices(model: Any, names: Iterable[str]) -> dict[str, nn.Parameter]:
    """The weights [O, I] of the linear layers with these names in `DenseShape.ranks`."""
    return {name: model.model.get_submodule(name).weight for name in names}


def factorised_imported(model: Any, factors: Mapping[str, SeparateFactors | SharedFactors]) -> nn.Module:
    """The model with factors in place of some of its matrices; its other weights are copies."""
    tensors = dict(model.state_dict())
    ranks = dict[str, int]()
    for name, made in factors.items():
        assert isinstance(made, SeparateFactors)
        ranks[name] = made.rank
        del tensors[f"model.{name}.weight"]
        for part, tensor_EXX in made.tensors.items():
            tensors[f"model.{name}.{part}.weight"] = tensor_EXX[0]
    smaller: nn.Module = factorised_dense(model.config, ranks, model.dtype)
    smaller.load_state_dict(tensors)
    return smaller
