"""Forms of gradients to compare packed ones with: fp32, half precision, and torch's PowerSGD.

Which gradients travel in them is left to `hooks`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.algorithms.ddp_comm_hooks.powerSGD_hook import PowerSGDState

LARGEST_HALF, HALF_ROUNDING = 65504.0, 2.0**-11
"""The largest number in fp16, and by what fraction of itself a number may grow when it is rounded to fp16."""


class PlainAverage:
    """The mean of gradients that are sent as they are: the same bits as DDP's own average."""

    kind, carries = "fp32", False

    def __init__(self, group: dist.ProcessGroup) -> None:
        self._group, self.names = group, set[str]()

    def average(self, tensor: Tensor, name: str) -> None:
        """Replace a tensor by its mean."""
        self.names.add(name)
        dist.all_reduce(tensor.mul_(1 / self._group.size()), group=self._group)

    def state(self) -> dict[str, Tensor]:
        """Nothing: each step depends on its own gradients alone."""
        return {}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Does nothing: no state carries over from earlier steps."""

    def forget(self) -> None:
        """Does nothing: no state is kept."""

    def close(self) -> None:
        """Does nothing: there is no background work."""


class HalfAverage(PlainAverage):
    """The mean of gradients that are sent in fp16, multiplied by the power of two that makes the most of its range.

    torch's own hook casts them unscaled: below 6e-8 they vanish, and below 6e-5 they lose bits.
    """

    kind = "fp16"

    def average(self, tensor: Tensor, name: str) -> None:
        """Replace a tensor by its mean; by NaN in all processes if a number of any process is not finite."""
        world = self._group.size()
        largest = tensor.abs().max().nan_to_num(nan=math.inf, posinf=math.inf).view(1)
        dist.all_reduce(largest, dist.ReduceOp.MAX, self._group)
        most = largest.item()
        self.names.add(name)
        if not math.isfinite(most):
            tensor.fill_(math.nan)
        elif most:
            scale = half_scale(most, world)
            half = (tensor * scale).half()
            dist.all_reduce(half, group=self._group)
            tensor.copy_(half).div_(scale).div_(world)


def half_scale(most: float, processes: int) -> float:
    """The power of two by which to scale numbers up to `most`, so that their sum over all processes is finite in fp16.

    Each number is rounded, and then each sum: as many roundings as processes.
    """
    total = processes * most * (1 + HALF_ROUNDING) ** processes
    return 2.0 ** min(126, math.floor(math.log2(LARGEST_HALF / total)))


class PowerSgd:
    """The state of torch's PowerSGD hook: its errors, and the matrices from which it starts each step."""

    kind, carries = "powersgd", True

    def __init__(self, group: dist.ProcessGroup, rank: int, start: int, device: torch.device) -> None:
        """rank: that of its matrices. start: the number of plain steps before the first one with matrices."""
        self.of_torch = PowerSGDState(group, matrix_approximation_rank=rank, start_powerSGD_iter=start)
        self._device, self._begun = device, 0

    @property
    def names(self) -> set[str]:
        """One name, once a step has been made here."""
        return {self.kind} if self.of_torch.iter > self._begun else set()

    def state(self) -> dict[str, Tensor]:
        """The steps so far, and under `bucket:quantity` what each bucket holds after the first plain steps."""
        of_buckets = {
            f"{bucket}:{quantity}": value
            for quantity, values in self._quantities().items()
            for bucket, value in values.items()
        }
        steps, rank = self.of_torch.iter, self.of_torch.matrix_approximation_rank
        return {"steps": torch.tensor(steps), "rank": torch.tensor(rank)} | of_buckets

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Continue from what `state` gave for the same rank of as many processes; only from its errors if
        PowerSGD's rank differs."""
        self.of_torch.iter = self._begun = int(tensors["steps"])
        is_same = int(tensors["rank"]) == self.of_torch.matrix_approximation_rank
        for quantity, values in self._quantities().items():
            for key, value in tensors.items():
                if key.endswith(f":{quantity}") and (is_same or quantity == "errors"):
                    values[int(key.partition(":")[0])] = value.to(self._device, copy=True)

    def forget(self) -> None:
        """Start again, with plain steps."""
        self.of_torch.iter = self._begun = 0
        for values in self._quantities().values():
            values.clear()

    def close(self) -> None:
        """Does nothing: there is no background work."""

    def _quantities(self) -> dict[str, dict[int, Tensor]]:
        """What torch keeps for each bucket."""
        state = self.of_torch
        return {"errors": state.error_dict, "p": state.p_memory_dict, "q": state.q_memory_dict}
