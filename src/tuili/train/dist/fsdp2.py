"""FSDP2 as a backend: each process holds a share of every parameter and of its optimizer's state.

A layer's parameters are gathered for its forward and its backward pass, and its gradients go back to those who hold
the shares. Several islands that each hold the whole model average their gradients, packed or as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import cast

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor

from tuili.data import Block
from tuili.train.checkpoint import Tensors
from tuili.train.dist.backend import Backend, LossModule, begin_alike, confirm
from tuili.train.dist.hooks import hook_fsdp, packed_average
from tuili.train.dist.lost import collect_errors, load_errors
from tuili.train.dist.processes import TorchGroup, noticing_loss
from tuili.train.dist.sharded import Island, ShardedOptimizers, whole
from tuili.train.objective import ObjectiveResult
from tuili.train.setup import TrainingSetup

ISLANDS, SHARES = "islands", "shares"


class Fsdp2(Backend):
    """Each layer is a unit whose parameters are gathered together; what is around the layers is another one."""

    def __init__(
        self, setup: TrainingSetup, group: TorchGroup, tensors: Tensors | None, tell: Callable[[str], None]
    ) -> None:
        super().__init__(setup, group)
        self._processes, config = group, setup.recipe.train.dist
        if tensors is not None:
            setup.model.load_state_dict(dict(tensors["model"]))
        begin_alike(self)
        weights = sum(parameter.numel() for parameter in setup.model.parameters())
        self._islands, shares = config.islands, group.world_size // config.islands
        mesh = init_device_mesh(setup.plan.device.type, (self._islands, shares), mesh_dim_names=(ISLANDS, SHARES))
        packs = config.gradients.bits is not None
        self._module = LossModule(setup)
        self._units = _shard(self._module, mesh if self._islands > 1 and not packs else mesh[SHARES])
        self._average = packed_average(config.gradients, mesh[ISLANDS].get_group()) if packs else None
        if self._average is not None:
            hook_fsdp(self._module, self._average)
        self._optimizers = ShardedOptimizers(setup.recipe.optimizer, setup.model, Island(group, shares))
        if tensors is not None:
            self._optimizers.load(tensors["optimizer"])
            load_errors(group, self._average, tensors, tell)
        self._confirm(weights, shares, tell)

    def learn(self, block: Block, progress: float, generator: torch.Generator, last: bool) -> ObjectiveResult:
        """Forward and backward. Gradients reach their shares with each block, and other islands with the last one."""
        share = self._group.world_size / self._setup.recipe.train.accumulation  # FSDP2 divides by the first
        with noticing_loss():
            self._units.set_requires_gradient_sync(last or self._islands == 1)
            loss, metrics = self._module(block, progress, generator)
            (loss * share).backward()
        return ObjectiveResult(loss, metrics)

    def collect(self) -> Tensors:
        """Whole tensors, gathered one after another, which process 0 keeps."""
        with noticing_loss():
            model = {name: whole(value) for name, value in self._setup.model.state_dict().items()}
            tensors = {"model": model, "optimizer": self._optimizers.collect()}
        tensors |= collect_errors(self._processes, self._average)
        return tensors if self._group.rank == 0 else {}

    def close(self) -> None:
        """End the threads that pack gradients."""
        if self._average is not None:
            self._average.close()

    def _held_by_all(self) -> Iterable[Tensor]:
        return (value for value in super()._held_by_all() if not isinstance(value, DTensor))

    def _confirm(self, weights: int, shares: int, tell: Callable[[str], None]) -> None:
        """Tell what torch has made of the model. Raises `TuiliError` where that is not what was asked for."""
        device, count, model = self._setup.plan.device.type, self._setup.plan.replicas, self._setup.model
        layers, parameters = [*model.model.trunk, *model.model.reasoning], list(model.parameters())
        sharded = [parameter for parameter in parameters if isinstance(parameter, DTensor)]
        held = sum(parameter.to_local().numel() for parameter in sharded)
        facts = {
            "layers that are sharded": (sum(isinstance(layer, FSDPModule) for layer in layers), len(layers)),
            "parameters that are sharded": (len(sharded), len(parameters)),
            "devices": (sorted({parameter.device_mesh.device_type for parameter in sharded}), [device]),
            "processes": (dist.get_world_size(), count),
            "weights in all shares": (sum(self._group.all_gather(held)), weights * self._islands),
        }
        confirm(self._group, facts)
        form = self._setup.recipe.train.dist.gradients.form
        between = f"; between {self._islands} islands gradients travel as {form}" if self._islands > 1 else ""
        tell(f"fsdp2: {count} processes on {device}, each with one of {shares} shares of the model{between}")


def _shard(module: LossModule, mesh: DeviceMesh) -> FSDPModule:
    """Divide each layer, and the rest, along the first dimension of each parameter among the processes of a mesh."""
    for layer in (*module.model.model.trunk, *module.model.model.reasoning):
        fully_shard(layer, mesh=mesh)
    fully_shard(module, mesh=mesh)
    root = cast(FSDPModule, module)
    root.set_reduce_scatter_unused_params(True)  # all processes reduce the same, whatever their blocks have used
    return root
