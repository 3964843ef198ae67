"""What the trainer asks of processes that share a training: one step from all gradients, one checkpoint of all weights.

Replicas do this through the methods of their `ReplicaGroup`. DDP and FSDP2, which use torch's wrapped modules, are left
to `ddp` and `fsdp2`, and DeepSpeed's ZeRO-3 to `zero3`. What a step consists of is left to `trainer`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

import torch
from torch import Tensor, nn

from tuili.data import Block
from tuili.errors import TuiliError
from tuili.train.checkpoint import Pieces, Tensors, load_weights
from tuili.train.dist.gradients.error_feedback import load_errors
from tuili.train.dist.group import Group, ReplicaGroup, told_once
from tuili.train.objective import ObjectiveResult
from tuili.train.optim import Optimizers
from tuili.train.setup import TrainingSetup

DIVERGED_REMEDY = "begin again in another --out with a lower optimizer.learning_rate"
"""What to do if a gradient is not finite: a resumed run would run into it again."""


class Backend(ABC):
    """One process's part in a training that its group shares.

    All processes of a group call the methods in the same order. Methods that communicate with other processes raise
    what `Group.all_gather` raises. The processes exchange small values through `group`.
    """

    def __init__(self, setup: TrainingSetup, group: Group) -> None:
        self._setup, self._group = setup, group
        self._optimizers: Optimizers
        self._scale = 1.0

    def begin(self, scale: float) -> None:
        """Begin a step, with the learning rate at `scale` of its peak."""
        self._scale = scale

    @abstractmethod
    def learn(self, block: Block, progress: float, generator: torch.Generator, last: bool) -> ObjectiveResult:
        """Add a block's share of a step to the gradients; `last` is true for this process's last block of the step."""

    def reduce_gradients(self) -> None:
        """Sum the gradients of all processes, as far as the backward passes have not done so."""
        self._optimizers.reduce_gradients()

    def update(self) -> float:
        """Update the weights once, by the clipped gradients.

        Clears the gradients, and returns the norm that they had. If that is not finite, the weights stay the same.
        """
        norm = self._optimizers.clip(self._setup.recipe.train.clip)
        if math.isfinite(norm):
            self._optimizers.step(self._scale)
        return norm

    @property
    def loss_scale(self) -> float | None:
        """The factor by which the loss is multiplied so that small gradients do not vanish; None if it is not scaled.

        It falls with each update whose norm is not finite, and rises again.
        """
        return None

    def agrees(self) -> bool:
        """Whether all processes that hold the same weights hold exactly the same bits."""
        number = sum_of_bits(self._setup.model.state_dict().values())
        return len(set(self._group.all_gather(number))) == 1

    def _confirm_travel(self, names: AbstractSet[str], least: int) -> None:
        """Raise `TuiliError` if fewer parts of the gradients than `least` were sent in the form that was asked for."""
        if len(names) < least:
            form, found = self._setup.recipe.train.dist.gradients.form, len(names)
            fault = f"gradients were to travel as {form}: {found} parts of them have, of {least} or more"
            raise told_once(self._group, TuiliError(fault))

    def collect(self) -> Pieces:
        """What this process writes to a checkpoint; it may change with the next step.

        Here every process holds the whole model, and writes a part of it.
        """
        return {"model": own_part(self._setup.model.state_dict(), self._group), "optimizer": self._optimizers.collect()}

    def stop(self) -> None:  # noqa: B027  # most have no such work
        """End background work that needs no other process. Called last, also after errors."""

    @abstractmethod
    def close(self) -> None:
        """End background work. No more training is possible afterwards."""


class Replicas(Backend):
    """Processes that share weights, gradients and the optimizer's work through the methods of their group."""

    def __init__(
        self, setup: TrainingSetup, group: ReplicaGroup, tensors: Tensors | None, tell: Callable[[str], None]
    ) -> None:
        super().__init__(setup, group)
        self._optimizers = Optimizers(setup.recipe.optimizer, setup.model, group)
        if tensors is not None:
            load_weights(setup.model, tensors["model"])
            self._optimizers.load(tensors["optimizer"])
            load_errors(group, "replicas", None, tensors, tell)
        parameters = list(setup.model.parameters())
        group.share(parameters)
        found = sorted({parameter.device.type for parameter in parameters})
        facts = {"devices": (found, [setup.plan.device.type]), "processes": (group.world_size, setup.plan.replicas)}
        confirm(group, facts)

    def learn(self, block: Block, progress: float, generator: torch.Generator, last: bool) -> ObjectiveResult:
        """Run the forward and backward pass."""
        with self._setup.plan.autocast():
            result = self._setup.objective(block, progress, generator)
        (result.loss / self._setup.recipe.train.accumulation).backward()
        return result

    def close(self) -> None:
        """Does nothing: there is no background work."""


class LossModule(nn.Module):
    """A block's loss as the forward pass of one module, because torch's wrappers need to see it as a whole."""

    def __init__(self, setup: TrainingSetup) -> None:
        super().__init__()
        self.model, self._setup = setup.model, setup

    def forward(self, block: Block, progress: float, generator: torch.Generator) -> tuple[Tensor, Mapping[str, Any]]:
        """The loss, and the metrics of an `ObjectiveResult`."""
        with self._setup.plan.autocast():
            result = self._setup.objective(block, progress, generator)
        return result.loss, dict(result.metrics)


def own_part(tensors: Mapping[str, Tensor], group: Group) -> dict[str, Tensor]:
    """The tensors that this process writes, of those that all processes hold: about as many bytes as any other."""
    total, before, own = sum(value.nbytes for value in tensors.values()), 0, dict[str, Tensor]()
    for name, value in sorted(tensors.items()):  # a loaded state may be in another order
        if before * group.world_size // max(1, total) == group.rank:
            own[name] = value
        before += value.nbytes
    return own


def sum_of_bits(tensors: Iterable[Tensor]) -> int:
    """A checksum that most likely differs if the tensors differ, even if values have only swapped places.

    Each value, read as an integer, is weighted by its place; tensors have 4 bytes per number, and are on one device.
    """
    total, places = 0, torch.empty(0)
    for tensor in tensors:
        size = _RUN if tensor.device.type == "cpu" else 64 * _RUN
        if len(places) != size:
            places = torch.arange(1, size + 1, device=tensor.device)
        for run_N in tensor.detach().flatten().view(torch.int32).split(size):
            total = (total * _FACTOR + int((run_N * places[: len(run_N)]).sum())) % 2**63
    return total


_RUN, _FACTOR = 1 << 14, 1_000_003
"""How many values are summed at once, so that their products stay in a core's cache, and the factor between runs."""


def confirm(group: Group, facts: Mapping[str, tuple[Any, Any]]) -> None:
    """Raise `TuiliError` in all processes if one of them has found something other than was asked for.

    facts: by name, what was found here and what was asked for.
    """
    for rank, found in enumerate(group.all_gather({name: found for name, (found, _) in facts.items()})):
        for name, (_, wanted) in facts.items():
            if found[name] != wanted:
                raise TuiliError(f"process {rank} has {found[name]} as {name}, and {wanted} was asked for")


def processes_on(device: str, count: int) -> str:
    """How many processes of a training run on what device, for the line about its backend."""
    return f"{count} process{'es' * (count > 1)} on {device}"


def begin_alike(backend: Backend) -> None:
    """Raise `TuiliError` in all processes if they do not start with the same weights."""
    if not backend.agrees():
        raise TuiliError(
            "the processes do not begin with the same weights: start all with the same files on like machines"
        )
