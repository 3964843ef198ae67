"""The matrices of an imported dense model: their weights, the moments of their inputs, and factors in their place.

Dimensions: E a stack of one, O outputs, I inputs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor, nn

from tuili.compress.dense import read_dense
from tuili.compress.factorising.shared import SharedFactors
from tuili.compress.factorising.whitened import SeparateFactors
from tuili.compress.moments import InputMoments, products
from tuili.compress.network import Network
from tuili.data import Block
from tuili.model import factorised_dense

_READS_AS = {"k_proj": "q_proj", "v_proj": "q_proj", "up_proj": "gate_proj"}
"""Linear layers of which another one has the same inputs."""


def dense_matrices(model: Any, names: Iterable[str]) -> dict[str, nn.Parameter]:
    """The weights [O, I] of the linear layers with these names in `DenseShape.ranks`."""
    return {name: model.model.get_submodule(name).weight for name in names}


def dense_moments(
    model: Any, network: Network, prefix: int, names: Iterable[str], blocks: Iterable[Block]
) -> dict[str, Tensor]:
    """The second moments [E, I, I] of the inputs of each of these layers, over real tokens alone.

    network: reads the model. prefix: the tokens in front of every row.
    """
    read_as = {name: _with_inputs_of(name) for name in names}
    watchers = {
        name: InputMoments(model.model.get_submodule(name), products) for name in dict.fromkeys(read_as.values())
    }
    read_dense(network, prefix, [*watchers.values()], blocks)
    means = {name: watcher.mean[None] for name, watcher in watchers.items()}
    return {name: means[other] for name, other in read_as.items()}


def factorised_imported(model: Any, factors: Mapping[str, SeparateFactors | SharedFactors]) -> nn.Module:
    """The model with factors in the place of some of its matrices; its other weights are copies."""
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


def _with_inputs_of(name: str) -> str:
    place, _, last = name.rpartition(".")
    return f"{place}.{_READS_AS.get(last, last)}"
