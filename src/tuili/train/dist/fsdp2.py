"""FSDP2 as a backend: each process holds a shard of every parameter and of its optimizer state.

A layer's parameters are gathered for its forward and its backward pass, and its gradients go back to the processes that
hold the shards. Several islands that each hold the whole model average their gradients, packed or unpacked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor

from tuili.data import Block
from tuili.errors import TuiliError
from tuili.train.checkpoint import Pieces, Tensors, load_weights
from tuili.train.dist.backend import Backend, LossModule, begin_alike, confirm, processes_on, sum_of_bits
from tuili.train.dist.gradients.error_feedback import collect_errors, load_errors
from tuili.train.dist.gradients.hooks import hook_fsdp, open_codec, packed_average
from tuili.train.dist.group import told_once
from tuili.train.dist.packed_weights import PackedGather
from tuili.train.dist.sharded import Island, ShardedOptimizers, own_shares
from tuili.train.dist.torch_group import TorchGroup
from tuili.train.objective import ObjectiveResult
from tuili.train.setup import TrainingSetup

ISLANDS, SHARES = "islands", "shares"


class Fsdp2(Backend):
    """Each layer is a unit whose parameters are gathered together; everything outside the layers is another unit."""

    def __init__(
        self, setup: TrainingSetup, group: TorchGroup, tensors: Tensors | None, tell: Callable[[str], None]
    ) -> None:
        super().__init__(setup, group)
        config = setup.recipe.train.dist
        self._shares = group.world_size // config.islands
        if tensors is not None:
            load_weights(setup.model, tensors["model"])
        begin_alike(self)
        weights = sum(parameter.numel() for parameter in setup.model.parameters())
        packs = config.gradients.bits is not None
        mesh = _mesh(group, config.islands, setup.plan.device)
        self._module = LossModule(setup)
        self._units = _shard(self._module, mesh if config.islands > 1 and not packs else mesh[SHARES])
        self._average = self._hook = self._codec = None
        self._gathers = list[PackedGather]()
        if config.weights != "fp32":
            self._codec = open_codec("train.dist.weights = 8bit", setup.plan.device, "fp32")
            for unit in _units(self._module):
                gather = PackedGather(self._codec)
                unit.set_custom_all_gather(gather)  # type: ignore[arg-type]  # torch does not export that class
                self._gathers.append(gather)
        if packs:
            self._average = packed_average(config.gradients, mesh[ISLANDS].get_group(), setup.plan.device)
            self._hook = hook_fsdp(self._module, self._average)
        self._optimizers = ShardedOptimizers(setup.recipe.optimizer, setup.model, Island(group, self._shares))
        if tensors is not None:
            self._optimizers.load(tensors["optimizer"])
            load_errors(group, "fsdp2", self._average, tensors, tell)
        self._confirm(weights, tell)

    def learn(self, block: Block, progress: float, generator: torch.Generator, last: bool) -> ObjectiveResult:
        """Run both passes. Gradients reach their shards with each block, and the other islands with the last one."""
        share = self._group.world_size / self._setup.recipe.train.accumulation  # FSDP2 divides by the world size
        self._units.set_requires_all_reduce(last)
        if self._hook is not None:
            self._hook.is_last = last
        loss, metrics = self._module(block, progress, generator)
        (loss * share).backward()
        return ObjectiveResult(loss, metrics)

    def reduce_gradients(self) -> None:
        """The backward passes have done this. Raises `TuiliError` if they did not use the form asked for, or if the
        weights were not gathered in theirs."""
        if self._average is not None:
            self._confirm_travel(self._average.names, len(_units(self._module)))
        if not all(gather.has_gathered for gather in self._gathers):
            found, count = sum(gather.has_gathered for gather in self._gathers), len(self._gathers)
            fault = f"weights were to be gathered as 8bit: {found} parts of them were, of {count}"
            raise told_once(self._group, TuiliError(fault))

    def agrees(self) -> bool:
        """Whether all islands hold the same shards, and all processes the same undivided tensors."""
        tensors = list(self._setup.model.state_dict().values())
        whole = sum_of_bits(tensor for tensor in tensors if not isinstance(tensor, DTensor))
        divided = sum_of_bits(tensor.to_local() for tensor in tensors if isinstance(tensor, DTensor))
        of_whole, of_shares = zip(*self._group.all_gather((whole, divided)), strict=True)
        islands = {of_shares[begin : begin + self._shares] for begin in range(0, len(of_shares), self._shares)}
        return len(set(of_whole)) == len(islands) == 1

    def collect(self) -> Pieces:
        """The shards of this process; of several islands, only the first one writes."""
        model, optimizer = self._setup.model.state_dict(), self._optimizers.collect()
        tensors = {"model": model, "optimizer": optimizer}
        shares = {name: own_shares(named, self._group.rank, self._shares) for name, named in tensors.items()}
        return {**shares, **collect_errors(self._group, "fsdp2", self._average)}

    def close(self) -> None:
        """End the threads that pack gradients and weights."""
        for packing in (self._average, self._codec):
            if packing is not None:
                packing.close()

    def _confirm(self, weights: int, tell: Callable[[str], None]) -> None:
        """Report what torch has made of the model. Raises `TuiliError` if that is not what was asked for."""
        device, count, model = self._setup.plan.device.type, self._group.world_size, self._setup.model
        config = self._setup.recipe.train.dist
        layers, parameters = [*model.model.trunk, *model.model.reasoning], list(model.parameters())
        shards = [parameter.to_local() for parameter in parameters if isinstance(parameter, DTensor)]
        held = sum(shard.numel() for shard in shards)
        facts = {
            "layers that are sharded": (sum(isinstance(layer, FSDPModule) for layer in layers), len(layers)),
            "parameters that are sharded": (len(shards), len(parameters)),
            "devices": (sorted({shard.device.type for shard in shards}), [device]),
            "weights in all shares": (sum(self._group.all_gather(held)), weights * config.islands),
        }
        confirm(self._group, facts)
        form, islands = config.gradients.form, config.islands
        between = f"; between {islands} islands gradients travel as {form}" if islands > 1 else ""
        gathered = "" if config.weights == "fp32" else f"; weights are gathered in {config.weights}"
        shares = f"each with one of {self._shares} shares of the model"
        tell(f"fsdp2: {processes_on(device, count)}, {shares}{gathered}{between}")


def _mesh(group: TorchGroup, islands: int, device: torch.device) -> DeviceMesh:
    """The processes by island and by shard, over groups with the same timeout as `group`."""
    ranks = torch.arange(group.world_size).view(islands, -1)
    groups = [group.of_gradients(ranks.T.tolist()), group.of_gradients(ranks.tolist())]
    return DeviceMesh.from_group(groups, device.type, ranks, mesh_dim_names=(ISLANDS, SHARES))


def _units(module: nn.Module) -> list[FSDPModule]:
    """The units, each of which is gathered together."""
    return [part for part in module.modules() if isinstance(part, FSDPModule)]


def _shard(module: LossModule, mesh: DeviceMesh) -> FSDPModule:
    """Divide each layer, and the rest, along the first dimension of each parameter among the processes of a mesh."""
    for layer in (*module.model.model.trunk, *module.model.model.reasoning):
        fully_shard(layer, mesh=mesh)
    fully_shard(module, mesh=mesh)
    root = cast(FSDPModule, module)
    root.set_reduce_scatter_unused_params(True)  # all processes reduce the same, whatever their blocks used
    return root
