"""A group of processes on one machine, which exchange values through sockets and tensors through shared memory.

Sums are made in an order fixed by the ranks, so that all processes continue with the same bits. How values travel is
left to `channel`, and starting the processes to `replicas`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor

from tuili.train.dist.channel import Channel
from tuili.train.dist.config import TIMEOUT
from tuili.train.dist.group import MEETING_SECONDS, PREPARATION_SECONDS, ReplicaDied
from tuili.train.dist.processes.heartbeat import Heartbeat

NOTICING_SECONDS = 5
"""In a step, how much longer the others wait for process 0 than process 0 may wait for yet another process."""

SharedMemory = Mapping[torch.dtype, Any]
"""For each number format, a block of shared memory with one row per process, and a last row for what they share."""


class SharedMemoryGroup:
    """A `ReplicaGroup` of several processes, of which process 0 started the others.

    `channels` lead from process 0 to all others, in rank order, and from every other process to process 0.
    timeout: seconds that processes wait for others in a step on top of the last step's duration, and otherwise for a
    sign of life, by the heartbeat. Where process 0 may have to read data, they wait for it as long as it shows signs of
    life, an hour at most, and between two steps ten minutes at most.
    """

    def __init__(
        self,
        rank: int,
        world_size: int,
        channels: Sequence[Channel],
        memory: SharedMemory,
        timeout: int = TIMEOUT,
        heartbeat: Heartbeat | None = None,
    ) -> None:
        self.rank, self.world_size = rank, world_size
        self._channels, self._timeout, self._heartbeat = channels, timeout, heartbeat
        self._patience: float | None = timeout
        """Seconds without a sign of life after which a process is taken to hang; None if nobody watches for signs."""
        self._in_step = self._between_steps = float(PREPARATION_SECONDS)
        """How long processes wait for each other in a step, and how long the others wait for process 0 after it."""
        self._rows = {
            dtype: torch.frombuffer(block, dtype=dtype).view(world_size + 1, -1) for dtype, block in memory.items()
        }
        self._shared = set[int]()

    def all_gather(self, value: Any) -> list[Any]:
        """Process 0 collects the values and sends them to all."""
        if self.rank == 0:
            with self._telling_loss():
                with self.watched():
                    values = [value, *(channel.receive() for channel in self._channels)]
                for channel in self._channels:
                    channel.send({"value": values})
            return values
        (first,) = self._channels
        with self.watched():
            first.send({"value": value})
            return list(first.receive())

    def anyone(self, value: bool) -> bool:
        """Gathers the values of all. After a step, until the next one, the others wait longer for process 0."""
        self._wait_for_first(self._between_steps)
        return any(self.all_gather(value))

    def share(self, tensors: Sequence[Tensor]) -> None:
        """The tensors move into the last row, unless they are on another device than the CPU."""
        places = [(tensor, rows[-1]) for tensor, rows in self._places(tensors) if tensor.device.type == "cpu"]
        for tensor, place in places:
            if self.rank == 0:
                place.copy_(tensor.detach())
            tensor.data = place
            self._shared.add(place.data_ptr())
        self.all_gather(None)

    def reduce(self, tensors: Sequence[Tensor], owners: Sequence[int]) -> None:
        """Each process copies the tensors that others own into its row, and adds the others' rows to those it owns."""
        places = list(zip(self._places(tensors), owners, strict=True))
        for (tensor, rows), owner in places:
            if owner != self.rank:
                rows[self.rank].copy_(tensor)
        self.all_gather(None)
        others = [rank for rank in range(self.world_size) if rank != self.rank]
        for (tensor, rows), owner in places:
            if owner == self.rank:
                for other in others:
                    tensor += rows[other]
        self.all_gather(None)  # no process overwrites its row before all have read it

    def exchange(self, tensors: Sequence[Tensor], owners: Sequence[int]) -> None:
        """Each process copies its own tensors into its row, and reads the others from their owners' rows. Shared
        tensors need no copy."""
        places = [
            (place, owner)
            for place, owner in zip(self._places(tensors), owners, strict=True)
            if place[0].data_ptr() not in self._shared
        ]
        for (tensor, rows), owner in places:
            if owner == self.rank:
                rows[owner].copy_(tensor)
        self.all_gather(None)
        if places:
            for (tensor, rows), owner in places:
                if owner != self.rank:
                    tensor.copy_(rows[owner])
            self.all_gather(None)  # no process overwrites its row before all have read it

    def scatter(self, parts: Sequence[bytes]) -> bytes:
        """Process 0 sends every other process its part."""
        if self.rank == 0:
            with self._telling_loss():
                for channel, part in zip(self._channels, parts[1:], strict=True):
                    channel.send_bytes(part)
            return parts[0]
        (first,) = self._channels
        self._wait_for_first(PREPARATION_SECONDS)
        with self.watched():
            part = first.receive_bytes()
        self._wait_for_first(self._in_step)
        return part

    def pace(self, seconds: float | None) -> None:
        """Process 0 takes a process to hang that takes longer than the last step plus the timeout, or, in a step of
        unknown duration, that shows no sign of life. The others take process 0 to hang if it shows no sign of life, or
        takes longer than that by a step and a little more: it may be waiting for yet another process."""
        self._between_steps = MEETING_SECONDS
        step = MEETING_SECONDS if seconds is None else seconds + self._timeout
        self._in_step = step if self.rank == 0 else step + (seconds or 0) + NOTICING_SECONDS
        for channel in self._channels:
            channel.wait_at_most(self._in_step)
        self._patience = None if self.rank == 0 and seconds is not None else self._timeout

    def pause(self) -> None:
        """Wait as long as in a step of unknown duration, with or without signs of life."""
        self.pace(None)
        self._patience = None if self.rank == 0 else MEETING_SECONDS

    def watched(self) -> AbstractContextManager[None]:
        """Process 0 kills a process that shows no sign of life, unless the step's duration is known. The others end if
        process 0 shows none."""
        if self._heartbeat is None or self._patience is None:
            return nullcontext()
        return self._heartbeat.watching(self._patience)

    @contextmanager
    def _telling_loss(self) -> Iterator[None]:
        """If process 0 loses a process, tell the others that it knows: it finishes its work before it ends them."""
        try:
            yield
        except ReplicaDied:
            if self._heartbeat is not None:
                self._heartbeat.first_tells()
            raise

    def _wait_for_first(self, seconds: float) -> None:
        if self.rank > 0:
            self._channels[0].wait_at_most(seconds)

    def _places(self, tensors: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """Each tensor, and its place in every row."""
        filled: Counter[torch.dtype] = Counter()
        for tensor in tensors:
            start = filled[tensor.dtype]
            filled[tensor.dtype] += tensor.numel()
            rows = self._rows[tensor.dtype]
            yield tensor, rows[:, start : filled[tensor.dtype]].view(len(rows), *tensor.shape)
