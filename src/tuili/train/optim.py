"""The optimizers of a run, with a common step and one set of named state tensors.

With `adamw`, AdamW updates all parameters. With `muon`, Muon updates the matrices of the hidden linear layers, and
AdamW the rest: the embedding, the head, the routers, the 3-D experts and all vectors. Each process of a group updates
a share of the parameters and holds the optimizer state of only that share (ZeRO stage 1; Rajbhandari et al. 2020,
arXiv 1910.02054). `schedule` defines the learning rate over time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, Literal

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer
from torch.profiler import record_function

from tuili.config import Config
from tuili.train.dist.group import ReplicaGroup
from tuili.train.dist.overlap.spans import Span
from tuili.train.muon import StackedMuon, update_operations

Beta = Annotated[float, Field(ge=0, lt=1)]


class OptimizerConfig(Config):
    """AdamW for all parameters, or Muon for the hidden matrices and AdamW for the rest."""

    kind: Literal["adamw", "muon"] = "adamw"
    learning_rate: PositiveFloat = 3e-3
    """Peak learning rate. Muon's updates are scaled to the size of AdamW's, so both use the same rate."""
    betas: tuple[Beta, Beta] = (0.9, 0.95)
    weight_decay: NonNegativeFloat = 0.1
    """Weight decay of matrices; vectors (norms, biases) have none."""


def build_adamw(config: OptimizerConfig, decayed: Sequence[Tensor], free: Sequence[Tensor]) -> AdamW:
    """AdamW with weight decay for the parameters `decayed` and none for `free`."""
    groups: list[dict[str, Any]] = [
        {"params": list(decayed), "weight_decay": config.weight_decay},
        {"params": list(free), "weight_decay": 0.0},
    ]
    return AdamW(groups, lr=config.learning_rate, betas=config.betas, fused=True)


class Optimizers:
    """One or two torch optimizers over the named parameters of a model that each process of a group has a copy of.

    All copies take the same steps. All processes call the methods, except `load`, in the same order.
    """

    muon: type[StackedMuon] = StackedMuon

    def __init__(self, config: OptimizerConfig, model: nn.Module, group: ReplicaGroup) -> None:
        self._named, self._group, self._rate = dict(model.named_parameters()), group, config.learning_rate
        matrices = hidden_matrices(model) if config.kind == "muon" else frozenset()
        hidden = [name for name in self._named if name in matrices]
        rest = [name for name in self._named if name not in matrices]
        self._owners = self._share_out(hidden, update_operations) | self._share_out(rest, Tensor.numel)
        decayed = self._own(name for name in rest if self._named[name].ndim >= 2)
        free = self._own(name for name in rest if self._named[name].ndim < 2)
        self._optimizers: list[tuple[Optimizer, list[str]]] = []
        if decayed or free:
            adamw = build_adamw(config, [self._named[name] for name in decayed], [self._named[name] for name in free])
            self._optimizers.append((adamw, decayed + free))
        if own := self._own(hidden):
            muon = self.muon([self._named[name] for name in own], config.learning_rate, config.weight_decay)
            self._optimizers.append((muon, own))

    def _own(self, names: Iterable[str]) -> list[str]:
        return [name for name in names if self._owners[name] == self._group.rank]

    def _share_out(self, names: list[str], work_of: Callable[[Tensor], int]) -> dict[str, int]:
        """The process that updates each parameter, chosen so that all have about the same amount of work.

        The largest parameters are assigned first, each to the process with the least work so far (Graham 1969).
        """
        work, owners = [0] * self._group.world_size, {}
        for name in sorted(names, key=lambda name: -work_of(self._named[name])):
            owners[name] = work.index(min(work))
            work[owners[name]] += work_of(self._named[name])
        return owners

    def reduce_gradients(self) -> None:
        """Sum the gradients of all processes in those that need them; in the others they become meaningless."""
        used = self._group.all_gather([parameter.grad is not None for parameter in self._named.values()])
        for parameter, anywhere in zip(self._named.values(), map(any, zip(*used, strict=True)), strict=True):
            if anywhere and parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        changing = self._changing()
        self._group.reduce(self._gradients(changing), self._owners_of(changing))

    def clip(self, largest: float | None) -> float:
        """Scale the summed gradients so that their global norm is at most `largest`. Returns the norm before that."""
        own = self._gradients(self._own(self._changing()))
        squares = float(torch.stack(torch._foreach_norm(own)).square().sum()) if own else 0.0
        norm = math.sqrt(sum(self._group.all_gather(squares)))
        if largest is not None and (factor := largest / (norm + 1e-6)) < 1:
            torch._foreach_mul_(own, factor)
        return norm

    def step(self, scale: float) -> None:
        """Make one update with `scale` times the peak learning rate, and clear the gradients."""
        changing = self._changing()
        with record_function(Span.UPDATE):
            self._update(scale)
        self.clear()
        self._group.exchange([self._named[name].data for name in changing], self._owners_of(changing))

    def clear(self) -> None:
        """Clear the gradients."""
        for parameter in self._named.values():
            parameter.grad = None

    def _update(self, scale: float) -> None:
        for optimizer, _ in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self._rate * scale
            optimizer.step()

    def second_moment(self, name: str) -> Tensor | None:
        """AdamW's mean squared gradient of a parameter that this process updates; None before its first step."""
        optimizer, parameter = self._updated_by[name]
        moment: Tensor | None = optimizer.state.get(parameter, {}).get("exp_avg_sq")
        return moment

    @cached_property
    def _updated_by(self) -> Mapping[str, tuple[Optimizer, Tensor]]:
        return {
            name: (optimizer, parameter)
            for optimizer, names in self._optimizers
            for name, parameter in zip(names, _parameters(optimizer), strict=True)
        }

    def collect(self) -> dict[str, Tensor]:
        """This process's optimizer state, by `parameter:quantity`, for parameters that have had a gradient."""
        return {
            f"{name}:{quantity}": value
            for optimizer, names in self._optimizers
            for name, parameter in zip(names, _parameters(optimizer), strict=True)
            for quantity, value in optimizer.state.get(parameter, {}).items()
        }

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore what `collect` returned in all processes for the same model and configuration."""
        by_name: dict[str, dict[str, Tensor]] = {}
        for key in tensors:
            name, _, quantity = key.rpartition(":")
            if self._owners[name] == self._group.rank:
                by_name.setdefault(name, {})[quantity] = self._own_part(tensors[key], self._named[name])
        for optimizer, names in self._optimizers:
            state = {index: by_name[name] for index, name in enumerate(names) if name in by_name}
            optimizer.load_state_dict(optimizer.state_dict() | {"state": state})

    def _own_part(self, value: Tensor, parameter: Tensor) -> Tensor:
        """The part that this process holds of a state tensor of a parameter that it updates."""
        return value

    def _changing(self) -> list[str]:
        return [name for name, parameter in self._named.items() if parameter.grad is not None]

    def _gradients(self, names: Iterable[str]) -> list[Tensor]:
        return [gradient for name in names if (gradient := self._named[name].grad) is not None]

    def _owners_of(self, names: Iterable[str]) -> list[int]:
        return [self._owners[name] for name in names]


def _parameters(optimizer: Optimizer) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def hidden_matrices(model: nn.Module) -> frozenset[str]:
    """The names of the weights of linear layers, except the head's and those of embeddings tied to it."""
    tables = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    output = getattr(model, "get_output_embeddings", lambda: None)()
    if isinstance(output, nn.Linear):
        tables.add(id(output.weight))
    hidden = {id(module.weight) for module in model.modules() if isinstance(module, nn.Linear)} - tables
    return frozenset(name for name, parameter in model.named_parameters() if id(parameter) in hidden)
