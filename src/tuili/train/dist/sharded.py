"""Optimizers for shards of parameters, as FSDP2 divides them, and what each process writes to a checkpoint.

What is divided, and how, is left to `fsdp2`.

Dimensions: n matrices, r rows, c columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor, distribute_tensor

from tuili.train.checkpoint import Piece
from tuili.train.dist.group import SingleProcess
from tuili.train.dist.torch_group import TorchGroup
from tuili.train.muon import StackedMuon
from tuili.train.optim import Optimizers


class Island(SingleProcess):
    """The group as a shard's optimizer sees it: it owns its shard of everything, and sums over its own island."""

    def __init__(self, group: TorchGroup, shares: int) -> None:
        begin = group.rank // shares * shares
        self._group, self._own = group, slice(begin, begin + shares)

    def all_gather(self, value: Any) -> list[Any]:
        """The values of the processes of this island."""
        return self._group.all_gather(value)[self._own]


class ShardedMuon(StackedMuon):
    """Muon on shards. Every process gathers and orthogonalises all matrices, as every process also does in DDP."""

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
    """The optimizers of the shards that this process holds. State is collected as shards, and loaded as a whole."""

    muon = ShardedMuon

    def reduce_gradients(self) -> None:
        """FSDP2 has done this in the backward pass."""

    def _own_part(self, value: Tensor, parameter: Tensor) -> Tensor:
        return value if value.shape != parameter.shape else distributed(value, parameter)  # the step count is whole

    def _gradients(self, names: Iterable[str]) -> list[Tensor]:
        return [_share(gradient) for gradient in super()._gradients(names)]


def own_shares(tensors: Mapping[str, Tensor], rank: int, shares: int) -> dict[str, Tensor | Piece]:
    """What a process writes of these tensors. The first `shares` processes each write their shard of tensors that are
    divided by rows, as `torch.chunk` does it; process 0 also writes undivided tensors, and the rest write nothing."""
    own = dict[str, Tensor | Piece]()
    for name, value in tensors.items():
        if isinstance(value, DTensor) and rank < shares:
            rows, numbers = value.shape[0], value.to_local()
            begin = min(rows, rank * -(-rows // shares)) * (value.numel() // rows)
            if numbers.numel():
                own[name] = Piece(numbers, value.shape, begin)
        elif rank == 0:
            own[name] = value
    return own


def distributed(value: Tensor, parameter: Tensor) -> DTensor:
    """A tensor that all processes hold as a whole, divided in the same way as a parameter."""
    assert isinstance(parameter, DTensor)
    return distribute_tensor(value, parameter.device_mesh, parameter.placements, src_data_rank=None)


def _share(tensor: Tensor) -> Tensor:
    """This process's shard of a divided tensor: its memory, not a copy."""
    assert isinstance(tensor, DTensor)
    return tensor.to_local()


def _joined(share: Tensor, parameter: Tensor) -> Tensor:
    """The whole tensor, of which each process holds a shard like its shard of a parameter."""
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
