"""Processes of one machine that share a run's steps: they exchange values through sockets and tensors in shared memory.

Sums are made in an order that the ranks fix, so that all processes go on with the same bits. How values travel is left
to `channel`, what a replica computes to `trainer`, what it is built from to `build`.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from functools import partial
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from multiprocessing.process import BaseProcess
from typing import Any

import torch
from torch import Tensor

from tuili.errors import TuiliError
from tuili.parent import end_with_parent
from tuili.train.dist.channel import Channel
from tuili.train.dist.config import TIMEOUT
from tuili.train.dist.group import (
    EXIT_ALONE,
    MEETING_SECONDS,
    PREPARATION_SECONDS,
    ReplicaDied,
    ReplicaGroup,
    SingleProcess,
)
from tuili.train.dist.processes.heartbeat import Heartbeat
from tuili.train.signals import ENDING_SIGNALS

EXIT_TIMEOUT_SECONDS = 5.0
"""How long a process whose socket has closed may take to end."""

SharedMemory = Mapping[torch.dtype, Any]
"""For each number format a block of shared memory with one row for each process, and a last row for what they share."""


class SharedMemoryGroup:
    """A `ReplicaGroup` of several processes, of which process 0 started the others.

    `channels` lead from process 0 to all others, in the order of their ranks, and from another process to process 0.
    timeout: seconds for which process 0 waits for others in a step beside those of the last one, and else for a sign of
    life, by the heartbeat. They wait for it as long as it shows that it lives, an hour at most: it may
    have to read data.
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
        """Seconds without a sign of life behind which a process is taken to hang; None where none is missed."""
        self._rows = {
            dtype: torch.frombuffer(block, dtype=dtype).view(world_size + 1, -1) for dtype, block in memory.items()
        }
        self._shared = set[int]()

    def all_gather(self, value: Any) -> list[Any]:
        """Process 0 collects the values and sends them to all."""
        if self.rank == 0:
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
        """By the values of all."""
        return any(self.all_gather(value))

    def share(self, tensors: Sequence[Tensor]) -> None:
        """The tensors come to lie in the last row, unless they are on another device."""
        places = [(tensor, rows[-1]) for tensor, rows in self._places(tensors) if tensor.device.type == "cpu"]
        for tensor, place in places:
            if self.rank == 0:
                place.copy_(tensor.detach())
            tensor.data = place
            self._shared.add(place.data_ptr())
        self.all_gather(None)

    def reduce(self, tensors: Sequence[Tensor], owners: Sequence[int]) -> None:
        """Each process copies what others own to its row, and adds to its own tensors those of the others."""
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
        self.all_gather(None)  # nobody writes to its row before all have read it

    def exchange(self, tensors: Sequence[Tensor], owners: Sequence[int]) -> None:
        """Each process copies its tensors to its row, and reads those of the others in theirs. Shared ones stay."""
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
            self.all_gather(None)  # nobody writes to its row before all have read it

    def scatter(self, parts: Sequence[bytes]) -> bytes:
        """Process 0 sends every other one its part."""
        if self.rank == 0:
            for channel, part in zip(self._channels, parts[1:], strict=True):
                channel.send_bytes(part)
            return parts[0]
        (first,) = self._channels
        with self.watched():
            return first.receive_bytes()

    def pace(self, seconds: float | None) -> None:
        """For process 0 whoever takes as long as the last step did, and the timeout, is taken to hang, and in a step of
        which nobody knows how long it takes whoever shows no sign of life; for the others, process 0 without one."""
        if self.rank == 0:
            for channel in self._channels:
                channel.wait_at_most(MEETING_SECONDS if seconds is None else seconds + self._timeout)
        self._patience = None if self.rank == 0 and seconds is not None else self._timeout

    def pause(self) -> None:
        """As long as for a step of which nobody knows how long it takes, whatever shows that they live."""
        self.pace(None)
        self._patience = None if self.rank == 0 else MEETING_SECONDS

    def watched(self) -> AbstractContextManager[None]:
        """Process 0 kills whoever shows no sign of life, unless it is known how long a step takes. Others end where
        process 0 shows none."""
        if self._heartbeat is None or self._patience is None:
            return nullcontext()
        return self._heartbeat.watching(self._patience)

    def _places(self, tensors: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """Each tensor, and its places in all rows."""
        filled: Counter[torch.dtype] = Counter()
        for tensor in tensors:
            start = filled[tensor.dtype]
            filled[tensor.dtype] += tensor.numel()
            rows = self._rows[tensor.dtype]
            yield tensor, rows[:, start : filled[tensor.dtype]].view(len(rows), *tensor.shape)


@contextmanager
def launch_replicas(
    world_size: int,
    tensors: Sequence[Tensor],
    work: Callable[..., object],
    *arguments: Any,
    timeout: int = TIMEOUT,
) -> Iterator[ReplicaGroup]:
    """Run `work(group, *arguments)` in `world_size - 1` further processes, and give this process its view of the group.

    `tensors` have the shapes of those that the processes will share in one call at most. `work` must be a function of
    a module. The processes use as many threads as this one. They end with the `with` block, or with this process,
    however it ends, or where they wait for it and it stands still. Signals that end it do not reach them: this process
    decides what follows from one. `timeout` is that of `SharedMemoryGroup`.
    """
    if world_size == 1:
        yield SingleProcess()
        return
    context, channels, processes = get_context("spawn"), list[Channel](), list[SpawnProcess]()
    sizes: Counter[torch.dtype] = Counter()
    for tensor in tensors:
        sizes[tensor.dtype] += tensor.numel()
    memory = {dtype: context.RawArray("b", (world_size + 1) * size * dtype.itemsize) for dtype, size in sizes.items()}
    resource_tracker.ensure_running()  # starting it would unblock the signals
    silent, links = dict[int, ReplicaDied](), dict[int, socket.socket]()

    def kill_silent(rank: int, error: ReplicaDied) -> None:
        silent[rank] = error
        processes[rank - 1].kill()

    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)  # a new process inherits this
    opened = ExitStack()
    try:
        for rank in range(1, world_size):
            ours, theirs = context.Pipe()
            links[rank], link = (opened.enter_context(end) for end in socket.socketpair())
            settings = (rank, world_size, torch.get_num_threads(), timeout, theirs, link, memory)
            process = context.Process(target=_run_replica, args=(settings, work, arguments), name=f"replica-{rank}")
            process.start()
            processes.append(process)
            theirs.close()
            link.close()
            channel = Channel(ours, rank, partial(_death_error, rank, process, silent))
            channel.wait_at_most(PREPARATION_SECONDS)
            channels.append(channel)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        heartbeat = opened.enter_context(closing(Heartbeat(0, links, kill_silent)))
        yield SharedMemoryGroup(0, world_size, channels, memory, timeout, heartbeat)
    finally:
        opened.close()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for process in processes:
            process.kill()
        for process in processes:
            process.join(EXIT_TIMEOUT_SECONDS)  # one that waits for a disk cannot be killed


def _run_replica(
    settings: tuple[int, int, int, int, Connection, socket.socket, SharedMemory],
    work: Callable[..., object],
    arguments: Any,
) -> None:
    """What a further process does: its work, until that or process 0 ends."""
    rank, world_size, threads, timeout, connection, link, memory = settings
    end_with_parent()
    heartbeat = Heartbeat(rank, {0: link}, partial(_end_beside_silent_first, rank))  # for as long as this process lives
    torch.set_num_threads(threads)
    channel = Channel(connection, 0, lambda: SystemExit(1))
    channel.wait_at_most(PREPARATION_SECONDS)
    try:
        work(SharedMemoryGroup(rank, world_size, [channel], memory, timeout, heartbeat), *arguments)
    except ReplicaDied as error:  # process 0 hears nothing
        _end_beside_silent_first(rank, 0, error)
    except Exception as error:
        expected = isinstance(error, TuiliError)
        if not expected:
            traceback.print_exc()
        channel.send({"error": f"replica {rank}: {error if expected else repr(error)}"})


def _end_beside_silent_first(rank: int, first: int, error: ReplicaDied) -> None:
    """End this process, because process 0 stands still, as where it alone was stopped. One of them says so."""
    try:
        if rank == 1:
            sys.stderr.write(f"tuili: error: replica {rank}: {error}\n")
            sys.stderr.flush()
    finally:  # nobody may read it any more
        os._exit(EXIT_ALONE)


def _death_error(rank: int, process: BaseProcess, silent: Mapping[int, ReplicaDied]) -> TuiliError:
    """The error that says how a process ended. silent: why some were killed by process 0."""
    process.join(EXIT_TIMEOUT_SECONDS)
    if rank in silent:
        return silent[rank]
    code = process.exitcode or 0
    if code == EXIT_ALONE:
        return ReplicaDied(f"replica {rank} has ended, as process 0 stood still", 0)
    if code < 0:
        return ReplicaDied(f"replica {rank} was killed by {signal.Signals(-code).name}", rank)
    return TuiliError(f"replica {rank} ended with exit code {code}")
