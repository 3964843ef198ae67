"""A group of threads, which stands for one of processes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from threading import Barrier
from typing import Any

import torch

from tests.waiting import GUARD_SECONDS
from tuili.train.dist.group import SingleProcess


class Member(SingleProcess):
    """A member of a group of threads, which share what they hand to its methods in `shared`."""

    def __init__(self, rank: int, barrier: Barrier, shared: dict[int, Any]) -> None:
        self.rank, self.world_size, self._barrier, self._shared = rank, barrier.parties, barrier, shared

    def _all(self, value: Any) -> list[Any]:
        self._barrier.wait(GUARD_SECONDS)
        self._shared[self.rank] = value
        self._barrier.wait(GUARD_SECONDS)
        return [self._shared[rank] for rank in range(self.world_size)]

    def all_gather(self, value: Any) -> list[Any]:
        """As JSON would hand them on."""
        return list(json.loads(json.dumps(self._all(value))))

    def reduce(self, tensors: Sequence[torch.Tensor], owners: Sequence[int]) -> None:
        """Every member adds up what it owns."""
        of_members = self._all([tensor.clone() for tensor in tensors])
        for index, owner in enumerate(owners):
            if owner == self.rank:
                tensors[index].copy_(sum(tensors[index] for tensors in of_members))

    def exchange(self, tensors: Sequence[torch.Tensor], owners: Sequence[int]) -> None:
        """Every member copies what others own."""
        of_members = self._all([tensor.clone() for tensor in tensors])
        for index, owner in enumerate(owners):
            tensors[index].copy_(of_members[owner][index])
