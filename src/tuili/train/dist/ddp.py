"""DDP as a backend: every process holds the whole model and its optimizer, and gradients are averaged as they come.

In what form they travel is left to `hooks`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

import torch
from torch.nn.parallel import DistributedDataParallel

from tuili.data import Block
from tuili.train.checkpoint import Pieces, Tensors
from tuili.train.dist.backend import Backend, LossModule, begin_alike, confirm, own_part
from tuili.train.dist.group import SingleProcess
from tuili.train.dist.hooks import hook_ddp
from tuili.train.dist.lost import collect_errors, load_errors
from tuili.train.dist.processes import TorchGroup
from tuili.train.objective import ObjectiveResult
from tuili.train.optim import Optimizers
from tuili.train.setup import TrainingSetup


class Ddp(Backend):
    """Each process makes the whole step from the same gradients, and so has the bits of all others."""

    def __init__(
        self, setup: TrainingSetup, group: TorchGroup, tensors: Tensors | None, tell: Callable[[str], None]
    ) -> None:
        super().__init__(setup, group)
        self._processes, model, gradients = group, setup.model, setup.recipe.train.dist.gradients
        self._optimizers = Optimizers(setup.recipe.optimizer, model, SingleProcess())  # it updates all parameters
        if tensors is not None:
            model.load_state_dict(dict(tensors["model"]))
            self._optimizers.load(tensors["optimizer"])
        begin_alike(self)
        size = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
        self._module = DistributedDataParallel(
            LossModule(setup),
            process_group=group.of_gradients(),
            bucket_cap_mb=-(-size // 2**20) if gradients.form == "powersgd" else None,
            forward_sync_buffers=False,  # the loads of the routers are added up
            find_unused_parameters=True,  # else the buckets, and with them what was lost, change after the first step
        )
        self._hook = None if gradients.form == "fp32" else hook_ddp(self._module, gradients, group.of_gradients())
        self._form = self._hook.form if self._hook else None
        if tensors is not None:
            load_errors(group, "ddp", self._form, tensors, tell)
        self._confirm(tell)

    def learn(self, block: Block, progress: float, generator: torch.Generator, last: bool) -> ObjectiveResult:
        """Forward and backward; with the last block of a step, all gradients are averaged."""
        share = self._group.world_size / self._setup.recipe.train.accumulation  # DDP divides by the first
        with nullcontext() if last else self._module.no_sync():
            loss, metrics = self._module(block, progress, generator)
            with self._hook.raising() if self._hook else nullcontext():
                (loss * share).backward()
        return ObjectiveResult(loss, metrics)

    def reduce_gradients(self) -> None:
        """The backward passes have done that. Raises `TuiliError` where they have not, in the form asked for."""
        if self._form is not None:
            self._confirm_travel(self._form.names, 1)

    def collect(self) -> Pieces:
        """Also what the form of this process's gradients carries. The state, too, is whole in all processes."""
        optimizer = own_part(self._optimizers.collect(), self._group)
        return {**super().collect(), "optimizer": optimizer, **collect_errors(self._processes, "ddp", self._form)}

    def close(self) -> None:
        """End the thread that packs gradients."""
        if self._hook is not None:
            self._hook.close()

    def _confirm(self, tell: Callable[[str], None]) -> None:
        """Tell what torch has made of the model. Raises `TuiliError` where that is not what was asked for."""
        device, count = self._setup.plan.device.type, self._group.world_size
        found = sorted({parameter.device.type for parameter in self._module.parameters()})
        confirm(self._group, {"devices": (found, [device])})
        form = self._setup.recipe.train.dist.gradients.form
        tell(f"ddp: {count} processes on {device}, each with the whole model; gradients travel as {form}")
