"""The matrices of a model of Tuili's own kind: gets their weights, and puts factors in their place.

Dimensions: E matrices of a stack, O outputs, I inputs.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from tuili.compress.factorising.shared import SharedFactors
from tuili.compress.factorising.whitened import SeparateFactors
from tuili.model import TuiliConfig, TuiliForCausalLM
from tuili.store import Rank, matrix_shapes


def matrices_of(model: TuiliForCausalLM) -> dict[str, nn.Parameter]:
    """The matrices that may become factors, [O, I] or [E, O, I], by their names in `TuiliConfig.ranks`."""
    shapes = matrix_shapes(model.config.shape)
    return {
        name: model.model.get_parameter(f"{name}.weight" if len(sizes) == 2 else name) for name, sizes in shapes.items()
    }


def with_ranks(config: TuiliConfig, ranks: Mapping[str, Rank]) -> TuiliConfig:
    """A configuration whose network stores these matrices as factors."""
    listed = {name: list(rank) if isinstance(rank, tuple) else rank for name, rank in ranks.items()}
    changed: TuiliConfig = TuiliConfig.from_dict(config.to_dict() | {"ranks": listed})
    return changed


def factorised_own(model: TuiliForCausalLM, factors: Mapping[str, SeparateFactors | SharedFactors]) -> TuiliForCausalLM:
    """The model with factors in place of some of its matrices; its other weights are copies."""
    tensors = dict(model.state_dict())
    for name, made in factors.items():
        weight = f"model.{name}.weight"
        dense = weight in tensors
        del tensors[weight if dense else f"model.{name}"]
        for part, tensor in made.tensors.items():
            tensors[f"model.{name}.{part}.weight" if dense else f"model.{name}.{part}"] = tensor[0] if dense else tensor
    smaller = TuiliForCausalLM(with_ranks(model.config, {name: made.rank for name, made in factors.items()}))
    smaller.load_state_dict(tensors)
    return smaller
