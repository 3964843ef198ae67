"""Optimizers of shares of parameters, as FSDP2 divides them, and whole tensors for checkpoints.

What is divided, and how, is left to `fsdp2`.

Dimensions: n matrices, r rows, c columns.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.tensor import DTensor, distribute_tensor

from tuili.train.dist.group import SingleProcess
from tuili.train.dist.processes import TorchGroup
from tuili.train.muon import StackedMuon
from tuili.train.optim import Optimizers


class Island(SingleProcess):
    """A group as the optimizer of a share sees it: it owns its share of all, and adds up over those of its island."""

    def __init__(self, group: TorchGroup, shares: int) -> None:
        begin = group.rank // shares * shares
        self._group, self._own = group, slice(begin, begin + shares)

    def all_gather(self, value: Any) -> list[Any]:
        """The values of the processes of this island."""
        return self._group.all_gather(value)[self._own]


class ShardedMuon(StackedMuon):
    """Muon of shares. Every process gathers the matrices that are made orthogonal, as each makes all of them in DDP."""

    def _update(self, settings: dict[str, Any], matrices: list[Tensor]) -> None:
        shares = [_share(matrix) for matrix in matrices]
        momenta = [_share(self._momentum(matrix)) for matrix in matrices]
        gradients = [_share(matrix.grad) for matrix in matrices if matrix.grad is not None]
        ahead = self._ahead(settings, momenta, gradients)
        stack_nrc = torch.stack([_joined(share, matrix) for share, matrix in zip(ahead, matrices, strict=True)])
        update_nrc = self._updates(settings, stack_nrc)
        parts = [_share(distributed(update_rc, matrix)) for update_rc, matrix in zip(update_nrc, matrices, strict=True)]
        self._apply(settings, shares, parts, max(update_nrc.shape[1:]))


class ShardedOptimizers(Optimizers):
    """The optimizers of the shares that this process holds. A state is collected, and loaded, as whole tensors."""

    muon = ShardedMuon

    def reduce_gradients(self) -> None:
        """FSDP2 has done that in the backward pass."""

    def collect(self) -> dict[str, Tensor]:
        """In process 0 the whole state; all processes call this.

        They gather in the order of the names: a state that was loaded has another order in each process.
        """
        return {key: whole(value) for key, value in sorted(self._state().items())}

    def _own_part(self, value: Tensor, parameter: Tensor) -> Tensor:
        return value if value.shape != parameter.shape else distributed(value, parameter)  # the count of steps is whole

    def _gradients(self, names: Iterable[str]) -> list[Tensor]:
        return [_share(gradient) for gradient in super()._gradients(names)]


def whole(value: Tensor) -> Tensor:
    """A copy of a tensor as a whole, on the CPU in process 0; empty in others. All processes call this."""
    whole = value.full_tensor() if isinstance(value, DTensor) else value
    if dist.get_rank() > 0:
        return whole.new_empty(0)
    is_own = isinstance(value, DTensor) and whole.data_ptr() != value.to_local().data_ptr()  # of one share it is it
    return whole.detach().cpu() if is_own else whole.detach().to("cpu", copy=True)


def distributed(value: Tensor, parameter: Tensor) -> DTensor:
    """A tensor that all processes have as a whole, divided as a parameter is."""
    assert isinstance(parameter, DTensor)
    return distribute_tensor(value, parameter.device_mesh, parameter.placements, src_data_rank=None)


def _share(tensor: Tensor) -> Tensor:
    """What this process holds of a tensor that is divided; its own memory, not a copy."""
    assert isinstance(tensor, DTensor)
    return tensor.to_local()


def _joined(share: Tensor, parameter: Tensor) -> Tensor:
    """The whole tensor of which each process has a share as it has of a parameter."""
    assert isinstance(parameter, DTensor)
    joined = DTensor.from_local(
        share,
        parameter.device_mesh,
        parameter.placements,
        run_check=False,
        shape=parameter.shape,
        stride=parameter.stride(),
    )
    return joined.full_tensor()
