"""DDP as a backend: every process holds the whole model and its optimizer, and gradients are averaged as they arrive.

In which form they travel is left to `hooks`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel
from torch.profiler import record_function

from tuili.data import Block
from tuili.errors import TuiliError
from tuili.train.checkpoint import Pieces, Tensors, load_weights
from tuili.train.dist.backend import Backend, LossModule, begin_alike, confirm, own_part, processes_on
from tuili.train.dist.gradients.error_feedback import collect_errors, load_errors
from tuili.train.dist.gradients.hooks import Hook, OrderedHook, hook_ddp
from tuili.train.dist.group import SingleProcess, told_once
from tuili.train.dist.overlap.spans import Span
from tuili.train.dist.overlap.updates import BucketOptimizers, BucketUpdates
from tuili.train.dist.torch_group import TorchGroup
from tuili.train.objective import ObjectiveResult
from tuili.train.optim import Optimizers
from tuili.train.setup import TrainingSetup

_THREADS = {"off": (), "communication": ("gradients",), "update": ("gradients", "updates")}
_BESIDE = {
    "off": "and hold the backward pass up",
    "communication": "beside the backward pass",
    "update": "beside the backward pass, and so does each update",
}


class Ddp(Backend):
    """Each process makes the whole step from the same gradients, and so holds the same bits as all others."""

    def __init__(
        self, setup: TrainingSetup, group: TorchGroup, tensors: Tensors | None, tell: Callable[[str], None]
    ) -> None:
        super().__init__(setup, group)
        model, config = setup.model, setup.recipe.train.dist
        self._way = "ddp" if config.bucket_mb is None else f"ddp {config.bucket_mb:g} MiB"
        self._hook: Hook | None = None
        self._updates: BucketUpdates | None = None
        by_bucket = BucketOptimizers(setup.recipe.optimizer, model) if config.overlap == "update" else None
        self._optimizers = by_bucket or Optimizers(setup.recipe.optimizer, model, SingleProcess())  # of all parameters
        if tensors is not None:
            load_weights(model, tensors["model"])
            self._optimizers.load(tensors["optimizer"])
        begin_alike(self)
        size = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
        self._module = DistributedDataParallel(
            LossModule(setup),
            process_group=group.of_gradients(),
            bucket_cap_mb=-(-size // 2**20) if config.gradients.form == "powersgd" else config.bucket_mb,
            forward_sync_buffers=False,  # the routers' loads are summed elsewhere
            find_unused_parameters=True,  # else buckets, and the errors kept for them, change after the first step
        )
        if by_bucket:
            self._updates = BucketUpdates(by_bucket, self._module, model)
        on_gpu, beside = setup.plan.device.type == "cuda", config.overlap != "off"
        if not (on_gpu and config.gradients.form == "fp32" and config.overlap == "communication"):  # NCCL does it best
            self._hook = hook_ddp(
                self._module,
                config.gradients,
                group.of_gradients(),
                beside=beside,
                updates=self._updates,
                moments=self._second_moment if config.gradients.precondition else None,
            )
        self._form = self._hook.form if self._hook else None
        if tensors is not None:
            load_errors(group, self._way, self._form, tensors, tell)
        self._confirm(tell)

    def _second_moment(self, name: str) -> Tensor | None:
        """AdamW's second moment of a parameter, by its name in the module that DDP wraps."""
        return self._optimizers.second_moment(name.removeprefix("model."))

    def begin(self, scale: float) -> None:
        """The learning rate also applies to updates during the backward pass."""
        super().begin(scale)
        if self._updates is not None:
            self._updates.scale = scale

    def learn(self, block: Block, progress: float, generator: torch.Generator, last: bool) -> ObjectiveResult:
        """Run the forward and backward pass; with the last block of a step, all gradients are averaged."""
        share = self._group.world_size / self._setup.recipe.train.accumulation  # DDP divides by the world size
        with nullcontext() if last else self._module.no_sync():
            with record_function(Span.FORWARD):
                loss, metrics = self._module(block, progress, generator)
            self._settle()  # the backward pass refills the buckets that pending updates read
            with record_function(Span.BACKWARD), self._hook.raising() if self._hook else nullcontext():
                (loss * share).backward()
        return ObjectiveResult(loss, metrics)

    def reduce_gradients(self) -> None:
        """The backward passes have done this. Raises `TuiliError` if they did not use the form asked for."""
        if self._form is not None:
            self._confirm_travel(self._form.names, 1)

    def update(self) -> float:
        """With `overlap: update`, weights have changed, or are about to, even if the returned norm is not finite.

        Raises `TuiliError` if that is not so for all of them.
        """
        if self._updates is None:
            return super().update()
        names, self._updates.names = self._updates.names, set()
        if missing := {name for name, _ in self._setup.model.named_parameters()} - names:
            self._settle()
            raise told_once(self._group, TuiliError(f"{min(missing)} was to be updated beside the backward pass"))
        norm = self._optimizers.clip(None)
        self._optimizers.clear()
        if not math.isfinite(norm):  # the run is about to end
            self._settle()
        return norm

    def agrees(self) -> bool:
        """Compares the weights after all pending updates."""
        self._settle()
        return super().agrees()

    def collect(self) -> Pieces:
        """Also what this process's form of gradients carries. All processes hold the whole optimizer state, too."""
        self._settle()
        optimizer = own_part(self._optimizers.collect(), self._group)
        return {**super().collect(), "optimizer": optimizer, **collect_errors(self._group, self._way, self._form)}

    def stop(self) -> None:
        """End the thread that updates weights: a process that exits while torch works in a thread is aborted."""
        if self._updates is not None:
            self._updates.close()

    def close(self) -> None:
        """End the threads that average gradients and update weights."""
        if self._hook is not None:
            self._hook.close()

    def _settle(self) -> None:
        if self._updates is not None:
            self._updates.settle()

    def _confirm(self, tell: Callable[[str], None]) -> None:
        """Report what torch has made of the model. Raises `TuiliError` if that is not what was asked for."""
        device, count = self._setup.plan.device.type, self._group.world_size
        found = sorted({parameter.device.type for parameter in self._module.parameters()})
        config = self._setup.recipe.train.dist
        form, facts = config.gradients.form, dict[str, tuple[Any, Any]]()
        facts["devices"] = found, [device]
        facts["processes that average gradients"] = self._module.process_group.size(), count
        if isinstance(self._hook, OrderedHook):
            facts["threads beside the backward pass"] = (self._hook.threads, list(_THREADS[config.overlap]))
        confirm(self._group, facts)
        beside = _BESIDE["off" if form == "powersgd" else config.overlap]  # its only bucket is full at the end
        tell(f"ddp: {processes_on(device, count)}, each with the whole model; gradients travel as {form} {beside}")
