"""The matrices of a model of Tuili's own kind: their weights, the moments of their inputs, and factors in their place.

Dimensions: E matrices of a stack, O outputs, I inputs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import Tensor, nn

from tuili.compress.factorising.options import Rank
from tuili.compress.factorising.shared import SharedFactors
from tuili.compress.factorising.whitened import SeparateFactors
from tuili.compress.moments import ExpertMoments, InputMoments, products
from tuili.compress.reading import read_samples
from tuili.data import Block
from tuili.model import MixtureOfExperts, TuiliConfig, TuiliForCausalLM
from tuili.store import matrix_shapes


def matrices_of(model: TuiliForCausalLM) -> dict[str, nn.Parameter]:
    """The matrices that may become factors, [O, I] or [E, O, I], by their names in `TuiliConfig.ranks`."""
    shapes = matrix_shapes(model.config.shape)
    return {
        name: model.model.get_parameter(f"{name}.weight" if len(sizes) == 2 else name) for name, sizes in shapes.items()
    }


def moments_of(model: TuiliForCausalLM, blocks: Iterable[Block]) -> dict[str, Tensor]:
    """The second moments [E, I, I] of the inputs of each matrix; a dense one is a stack of one."""
    modules = dict(model.model.named_modules())
    names = matrix_shapes(model.config.shape)
    dense = {
        name: InputMoments(linear, products) for name in names if isinstance(linear := modules.get(name), nn.Linear)
    }
    mixtures = {name: module for name, module in modules.items() if isinstance(module, MixtureOfExperts)}
    experts = {name: ExpertMoments(module, products) for name, module in mixtures.items()}
    behind = [watcher for name, watcher in dense.items() if name.startswith("reasoning.")]
    before = [watcher for name, watcher in dense.items() if not name.startswith("reasoning.")]
    read_samples(model, before, behind, list(experts.values()), blocks)
    found = {name: watcher.mean[None] for name, watcher in dense.items()}
    for name, of_experts in experts.items():
        found[f"{name}.experts.gate_up_proj"] = of_experts.inputs
        found[f"{name}.experts.down_proj"] = of_experts.neurons
    return {name: found[name] for name in names}


def with_ranks(config: TuiliConfig, ranks: Mapping[str, Rank]) -> TuiliConfig:
    """A configuration whose network keeps these matrices as factors."""
    listed = {name: list(rank) if isinstance(rank, tuple) else rank for name, rank in ranks.items()}
    changed: TuiliConfig = TuiliConfig.from_dict(config.to_dict() | {"ranks": listed})
    return changed


def factorised_own(model: TuiliForCausalLM, factors: Mapping[str, SeparateFactors | SharedFactors]) -> TuiliForCausalLM:
    """The model with factors in the place of some of its matrices; its other weights are copies."""
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
